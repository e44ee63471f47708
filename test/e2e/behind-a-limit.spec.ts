import { summaryAlone, type Council } from '../support/council.js';
import type { GatewayClient } from '../support/gateway-client.js';
import { councilEvent } from '../support/service-requests.js';
import { System } from '../support/system.js';
import { until } from '../support/until.js';

jest.setTimeout(90_000);

const perSecond = 20;
/** More than twice what may be called while it is watched, so that calls are waiting whenever somebody else comes. */
const backlog = 500;
/** Long enough for the first burst to be paid back. */
const watchedMs = 12_000;
/** A busy machine that stands still for a second or two takes calls from the whole of the time, not from every five seconds of it. */
const undisturbedMs = 5_000;

/** Hundreds of steps behind a limit that only the customer's contract names, through every service and a real database. */
describe('a backlog behind a limit of calls', () => {
  let system: System;
  let limited: GatewayClient;
  let free: GatewayClient;
  let council: Council;

  beforeAll(async () => {
    system = await System.start({ providers: { salesforce: { latencyMs: 20 } } });
    const steps = (integrations: Council['integrations']) => [summaryAlone(integrations)];
    council = await system.seed({ steps, settings: { salesforce: { limit_per_second: perSecond } } });
    limited = system.client(council);
    free = system.client(await system.seed({ steps }));
  });

  afterAll(() => system.end());

  /** When each call for work reached the provider. */
  const arrivals = async (): Promise<readonly number[]> => {
    const { calls } = (await system.providers.salesforce.control('GET', '/calls')) as unknown as { readonly calls: readonly { readonly at: string; readonly operation: string }[] };
    return calls.filter(({ operation }) => operation !== 'token').map(({ at }) => Date.parse(at));
  };
  /** The most calls in so many milliseconds on end, wherever they begin. */
  const fullest = (times: readonly number[], withinMs: number): number => Math.max(...times.map((from) => times.filter((at) => at >= from && at < from + withinMs).length));
  const commands = async (): Promise<number> => {
    const [row] = await system.reader.query<{ count: number }>(`select sum(found[1]::int)::int as count from runs cross join lateral regexp_matches(steps, '"dispatch":([0-9]+)', 'g') found where organisation_id = $1`, [council.organisationId]);
    return row?.count ?? 0;
  };

  it('uses nearly all of it, never more, with hardly a command in vain', async () => {
    const runIds = await limited.publishSurely(Array.from({ length: backlog }, (_, index) => councilEvent(`limited-${index}`)));
    const first = await until('the first call', async () => (await arrivals())[0]);
    await until('the time watched', () => Date.now() > first + watchedMs);
    const times = (await arrivals()).filter((at) => at < first + watchedMs);
    expect(fullest(times, 1_000)).toBeLessThanOrEqual(perSecond);
    expect(fullest(times, undisturbedMs)).toBeGreaterThanOrEqual((0.9 * perSecond * undisturbedMs) / 1_000);
    expect(times.length).toBeGreaterThanOrEqual((0.6 * perSecond * watchedMs) / 1_000);
    expect((await commands()) / (await arrivals()).length).toBeLessThanOrEqual(1.2);
    expect(runIds.size).toBe(backlog);
  });

  it('and a tenant without a limit passes by', async () => {
    const runIds = await free.publishSurely(Array.from({ length: 20 }, (_, index) => councilEvent(`free-${index}`)));
    await system.untilState(runIds.values(), 'done');
    // In the order of things and not in seconds: it ends while the backlog still waits.
    const [row] = await system.reader.query<{ count: number }>(`select count(*)::int as count from runs where organisation_id = $1 and state <> 'done'`, [council.organisationId]);
    expect(row?.count).toBeGreaterThan(0);
  });
});
