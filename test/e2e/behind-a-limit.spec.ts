import { summaryAlone, type Council } from '../support/council.js';
import type { GatewayClient } from '../support/gateway-client.js';
import { councilEvent } from '../support/service-requests.js';
import { System } from '../support/system.js';
import { until } from '../support/until.js';

jest.setTimeout(180_000);

const perSecond = 20;
/** So many that more than half is still waiting when somebody else has come and gone, after the longest time watched. */
const backlog = 1_500;
/** Calls that are counted for nothing: the first burst is paid back by then. */
const burstMs = 5_000;
/** A busy machine that stands still for a second or two takes calls from the whole of the time, not from every five seconds of it. */
const undisturbedMs = 5_000;
const longestMs = burstMs + 2 * undisturbedMs + 2_000;

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
    const events = Array.from({ length: backlog }, (_, index) => councilEvent(`limited-${index}`));
    let accepted = 0;
    for (let from = 0; from < backlog; from += 500) accepted += (await limited.publishSurely(events.slice(from, from + 500))).size;
    expect(accepted).toBe(backlog);
    const first = await until('the first call', async () => (await arrivals())[0]);
    const sustained = async (): Promise<number> => fullest((await arrivals()).filter((at) => at >= first + burstMs), undisturbedMs);
    const nearlyAll = (0.9 * perSecond * undisturbedMs) / 1_000;
    await until('five seconds on end', async () => Date.now() > first + burstMs + undisturbedMs && ((await sustained()) >= nearlyAll || Date.now() > first + longestMs), 2 * longestMs, 500);
    expect(await sustained()).toBeGreaterThanOrEqual(nearlyAll);
    const times = await arrivals();
    expect(fullest(times, 1_000)).toBeLessThanOrEqual(perSecond);
    const watchedS = ((times.at(-1) ?? first) - first) / 1_000;
    expect(watchedS).toBeGreaterThan(0.9 * (burstMs + undisturbedMs) / 1_000);
    expect(times.length).toBeGreaterThanOrEqual(0.6 * perSecond * watchedS);
    expect((await commands()) / (await arrivals()).length).toBeLessThanOrEqual(1.2);
  });

  it('and a tenant without a limit passes by', async () => {
    const runIds = await free.publishSurely(Array.from({ length: 20 }, (_, index) => councilEvent(`free-${index}`)));
    await system.untilState(runIds.values(), 'done');
    // In the order of things and not in seconds: it ends while most of the backlog still waits.
    const [row] = await system.reader.query<{ count: number }>(`select count(*)::int as count from runs where organisation_id = $1 and state <> 'done'`, [council.organisationId]);
    expect(row?.count).toBeGreaterThan(backlog / 2);
  });
});
