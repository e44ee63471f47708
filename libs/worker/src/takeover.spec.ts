import { providers } from '@trunkline/connectors';
import { Budgets } from './budgets.js';
import type { Integration } from './integrations.js';
import type { Permit } from './permit.js';
import { openBench, type Bench } from './testing/bench.js';

const limit = 60;

/** Partitions move: a process is killed, or goes on for a while beside its successor. The provider knows nothing of that. */
describe('a budget that changes hands', () => {
  let bench: Bench;
  let nowMs: number;
  const all: Budgets[] = [];
  const techone = providers.find(({ id }) => id === 'techone');

  const newIntegration = async (): Promise<Integration> => ({ organisationId: bench.organisationId, id: await bench.integration('techone', {}), version: 1, provider: techone as NonNullable<typeof techone>, settings: {}, connection: undefined as never });
  /** Its clock stands still: nothing is stored by time alone. */
  const owner = (worker: string): Budgets => {
    const budgets = new Budgets(bench.database.databases, worker, () => nowMs, () => nowMs, undefined);
    all.push(budgets);
    return budgets;
  };
  const granted = async (budgets: Budgets, integration: Integration, most = Number.POSITIVE_INFINITY): Promise<readonly Permit[]> => {
    const permits: Permit[] = [];
    while (permits.length < most) {
      const permission = await budgets.reserve(integration, 1, 0);
      if (permission.kind === 'denied') break;
      permits.push(permission.permit);
    }
    return permits;
  };

  beforeAll(async () => {
    bench = await openBench();
  }, 60_000);
  afterAll(async () => {
    await Promise.all(all.map((budgets) => budgets.stop()));
    await bench?.close();
  });
  beforeEach(() => {
    nowMs = Date.now();
  });

  it('counts what a killed owner had used, although it never came to its next store', async () => {
    const integration = await newIntegration();
    const before = await granted(owner('killed'), integration, 40);
    const after = await granted(owner('heir'), integration);
    expect(before).toHaveLength(40);
    expect(after.length).toBeLessThanOrEqual(limit - 40);
  });

  it('is one limit for two that both take themselves for the owner', async () => {
    const integration = await newIntegration();
    const two = [owner('old'), owner('new')];
    let most = 0;
    for (let round = 0; round < 40; round += 1) for (const budgets of two) most += (await granted(budgets, integration, 3)).length;
    expect(most).toBeGreaterThan(limit / 6);
    expect(most).toBeLessThanOrEqual(limit);
  });

  it('knows what its owner had used also where two of its stores were under way at once', async () => {
    const integration = await newIntegration();
    const before = owner('overtaken');
    before.start();
    await granted(before, integration, 10);
    const holder = await bench.database.owner();
    await holder.query('begin');
    await holder.query('select from budget_windows where integration_id = $1 for update', [integration.id]);
    const more = granted(before, integration, 25);
    // The one that a call waits for, and the one of each second beside it, if it does not wait for its turn.
    const sinceMs = performance.now();
    await bench.until('both stores', async () => {
      const { rows } = await holder.query<{ waiting: number }>(`select count(*)::int as waiting from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`);
      return rows[0]?.waiting === 2 || performance.now() - sinceMs > 2_200 ? true : undefined;
    });
    await holder.query('rollback');
    let used = 10 + (await more).length;
    const unknown: string[] = [];
    for (let call = 0; call < 20; call += 1) {
      used += (await granted(before, integration, 1)).length;
      const { rows } = await holder.query<{ used: number }>('select used from budget_windows where integration_id = $1', [integration.id]);
      if ((rows[0]?.used ?? 0) < used) unknown.push(`${used} used, ${rows[0]?.used} stored`);
    }
    expect(unknown).toEqual([]);
  });

  it('and loses no more than a quarter of a window with an owner that dies', async () => {
    const integration = await newIntegration();
    await granted(owner('short-lived'), integration, 10);
    expect((await granted(owner('next'), integration)).length).toBeGreaterThanOrEqual(limit - 10 - limit / 4);
  });

  it('comes back in full to an owner that has been idle', async () => {
    const integration = await newIntegration();
    const only = owner('idle');
    await granted(only, integration, 20);
    nowMs += 62_000;
    expect(await granted(only, integration)).toHaveLength(limit);
  });
});
