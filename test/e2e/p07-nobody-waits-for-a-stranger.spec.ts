import { tellFigure } from '../surroundings/figures.js';
import { summaryAlone, techoneStep, type Council } from '../support/council.js';
import type { GatewayClient } from '../support/gateway-client.js';
import { NearProvider } from '../support/provider.js';
import { councilEvent } from '../support/service-requests.js';
import { System } from '../support/system.js';
import { until } from '../support/until.js';

/** `npm run test:surroundings` measures for a minute; a hanging call is given up after half of one. */
const eventCount = process.env['SURROUNDINGS_SECONDS'] === undefined ? 60 : 480;

jest.setTimeout(eventCount * 1_000);

describe('P7: nobody waits for a stranger', () => {
  let system: System;
  let hanging: NearProvider;
  let slow: Council;
  let salesforceOnly: Council;
  let techoneElsewhere: Council;

  beforeAll(async () => {
    system = await System.start();
    hanging = await NearProvider.start('techone');
    // One that takes every connection and answers no save.
    await hanging.addFault({ match: { operation: 'saveWorkRequest' }, commitAfterMs: 60_000, latencyMs: 60_000 });
    slow = await system.seed({ addresses: { techone: hanging.url }, steps: (integrations) => [{ ...techoneStep(integrations), timeoutMs: 30_000, ordering: 'none' }] });
    salesforceOnly = await system.seed({ steps: (integrations) => [summaryAlone(integrations)] });
    techoneElsewhere = await system.seed({ steps: (integrations) => [{ ...techoneStep(integrations), ordering: 'none' }] });
  });

  afterAll(async () => {
    await system.end();
    await hanging.remove();
  });

  /** One after the other, as calls end; milliseconds from acceptance to the end, sorted. */
  async function durations(client: GatewayClient, prefix: string): Promise<readonly number[]> {
    const runIds: string[] = [];
    for (let index = 0; index < eventCount; index += 1) {
      runIds.push(...(await client.publishSurely([councilEvent(`${prefix}-${index}`)])).values());
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await system.untilState(runIds, 'done');
    const rows = await system.reader.query<{ ms: number }>('select (extract(epoch from finished_at - accepted_at) * 1000)::float8 as ms from runs where run_id = any($1::uuid[]) order by 1', [runIds]);
    return rows.map(({ ms }) => ms);
  }

  const p95 = (sorted: readonly number[]): number => sorted[Math.ceil(sorted.length * 0.95) - 1] ?? Number.NaN;

  it('leaves the pace of other tenants as it was while one hangs on its provider', async () => {
    const tenants = { salesforceOnly: system.client(salesforceOnly), techoneElsewhere: system.client(techoneElsewhere) };
    const measure = async (when: string) => Object.fromEntries(await Promise.all(Object.entries(tenants).map(async ([name, client]) => [name, p95(await durations(client, `${when}-${name}`))] as const)));
    await measure('warm-up');
    const before = await measure('before');
    const stuck = await system.client(slow).publishSurely(Array.from({ length: eventCount }, (_, index) => councilEvent(`hanging-${index}`)));
    await until('calls hanging', async () => (await hanging.callsInHand()) > 0);
    const during = await measure('during');
    expect((await system.reader.runs()).filter(({ runId, state }) => [...stuck.values()].includes(runId) && state === 'done')).toEqual([]);
    expect(await hanging.callsInHand()).toBeGreaterThan(0);
    tellFigure('p95 in ms, before and while a stranger hangs', JSON.stringify({ before, during }));
    // Whoever stood behind a hanging call would wait for its hand-over, two seconds at least.
    for (const [name, ms] of Object.entries(during)) expect({ name, isAsBefore: ms <= 2 * (before[name] ?? 0) + 250 }).toEqual({ name, isAsBefore: true });
  });
});
