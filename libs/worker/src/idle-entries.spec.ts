import { randomUUID } from 'node:crypto';
import { providers } from '@trunkline/connectors';
import { Breakers } from './breakers.js';
import { Budgets } from './budgets.js';
import type { Integration } from './integrations.js';
import { usualTuning } from './ports.js';
import { openBench, type Bench } from './testing/bench.js';

const hour = 3_600_000;

describe('what a worker holds per integration', () => {
  let bench: Bench;
  let nowMs: number;
  const techone = providers.find(({ id }) => id === 'techone');
  const newIntegration = async (): Promise<Integration> => ({ organisationId: bench.organisationId, id: await bench.integration('techone', {}), version: 1, provider: techone as NonNullable<typeof techone>, settings: {}, connection: undefined as never });
  const budgetsOf = (worker: string): Budgets => {
    const budgets = new Budgets(bench.database.databases, worker, () => nowMs, () => nowMs, undefined);
    budgets.start();
    return budgets;
  };
  const grants = async (budgets: Budgets, integration: Integration): Promise<number> => {
    let count = 0;
    while ((await budgets.reserve(integration, 1, 0)).kind === 'granted') count += 1;
    return count;
  };

  beforeAll(async () => {
    bench = await openBench();
  }, 60_000);
  afterAll(() => bench?.close());
  beforeEach(() => {
    nowMs = Date.now();
  });

  it('is dropped when idle: breakers', async () => {
    const breakers = new Breakers(usualTuning.breaker, () => nowMs, undefined);
    for (let index = 0; index < 50; index += 1) await breakers.run(randomUUID(), 'techone', () => Promise.resolve({ value: null, isDown: false }));
    nowMs += hour;
    await breakers.run('another', 'techone', () => Promise.resolve({ value: null, isDown: false }));
    expect(breakers.size).toBe(1);
    breakers.stop();
  });

  it('is dropped when idle: budgets; one that comes back has all of its window', async () => {
    const budgets = budgetsOf('one');
    const first = await newIntegration();
    expect(await grants(budgets, first)).toBe(60);
    await budgets.stop();
    nowMs += hour;
    await budgets.reserve(await newIntegration(), 1, 0);
    expect(budgets.size).toBe(1);
    expect(await grants(budgets, first)).toBe(60);
    await budgets.stop();
  });

  it('a new owner of an integration inherits what the one before has used', async () => {
    const integration = await newIntegration();
    const before = budgetsOf('before');
    expect(await grants(before, integration)).toBe(60);
    await before.stop();
    const after = budgetsOf('after');
    expect(await after.reserve(integration, 1, 0)).toMatchObject({ kind: 'denied' });
    await after.stop();
  });
});
