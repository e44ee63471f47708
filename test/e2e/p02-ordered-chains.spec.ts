import { councilChain, genesysStep, summaryAlone } from '../support/council.js';
import { councilEvent, serviceRequests } from '../support/service-requests.js';
import { System } from '../support/system.js';
import { until } from '../support/until.js';

jest.setTimeout(120_000);

const latencyMs = 150;
/** A call that is held until the test lets it go is not given up meanwhile. */
const patientMs = 60_000;

describe('P2: a step starts only when the result of the step before it is durable', () => {
  let system: System;

  beforeAll(async () => {
    // A write is done at once and answered later: an effect that followed the effect, and not the answer, would be seen.
    system = await System.start({ providers: { genesys: { latencyMs }, techone: { latencyMs }, salesforce: { latencyMs } } });
  });

  afterEach(() => Promise.all(Object.values(system.providers).map((provider) => provider.clearFaults())));
  afterAll(() => system.end());

  it('makes each call after the answer to the one before, and after that answer was recorded', async () => {
    const council = await system.seed();
    const runIds = await system.client(council).publishSurely(serviceRequests(12));
    await system.untilState(runIds.values(), 'done');
    const effects = await system.effects();
    for (const [eventId, runId] of runIds) {
      const [genesys, techone, salesforce] = ['genesys', 'techone', 'salesforce'].map((provider) => effects.find((effect) => effect.provider === provider && effect.eventId === eventId)?.atMs ?? Number.NaN) as [number, number, number];
      expect(techone - genesys).toBeGreaterThanOrEqual(latencyMs);
      expect(salesforce - techone).toBeGreaterThanOrEqual(latencyMs);
      const attempts = await system.reader.attempts(runId);
      expect(attempts.map(({ stepId }) => stepId)).toEqual(['genesys', 'techone', 'salesforce']);
      for (const [index, after] of attempts.slice(1).entries()) expect(after.startedAtMs ?? 0).toBeGreaterThanOrEqual(attempts[index]?.recordedAtMs ?? Number.POSITIVE_INFINITY);
    }
  });

  it('does not go on while nobody records results', async () => {
    const council = await system.seed({ steps: (integrations) => councilChain(integrations).map((step) => ({ ...step, timeoutMs: patientMs })) });
    const before = (await system.effects('techone')).length;
    await system.providers.genesys.addFault({ match: { operation: 'createNote' }, holds: true });
    const runIds = await system.client(council).publishSurely([councilEvent('held-1')]);
    await until('the call at Genesys', async () => (await system.effects('genesys')).some(({ eventId }) => eventId === 'held-1'), 20_000, 2);
    await system.stopLedger();
    await system.providers.genesys.clearFaults();
    // The answer is on `results`; were the next step started by the worker or from memory, it would be started now.
    await until('an unread result', async () => (await system.log.lag('ledger')).some(({ topic, lag }) => topic === 'results' && lag > 0n));
    await new Promise((resolve) => setTimeout(resolve, 3 * latencyMs));
    expect(await system.effects('techone')).toHaveLength(before);
    await system.startLedger();
    await system.untilState(runIds.values(), 'done');
    expect(await system.effects('techone')).toHaveLength(before + 1);
  });

  it.each([
    { slow: 'genesys', operation: 'createNote' },
    { slow: 'salesforce', operation: 'upsertRecord' },
  ] as const)('runs steps of equal priority together: neither waits for the other when $slow is slow', async ({ slow, operation }) => {
    const council = await system.seed({ steps: (integrations) => [genesysStep(integrations), summaryAlone(integrations)].map((step) => ({ ...step, timeoutMs: patientMs })) });
    await system.providers[slow].addFault({ match: { operation }, holds: true });
    const runIds = await system.client(council).publishSurely([councilEvent(`together-${slow}`)]);
    const [runId = ''] = runIds.values();
    await until('the other one being recorded', async () => (await system.reader.attempts(runId)).some(({ stepId }) => stepId !== slow));
    await system.providers[slow].clearFaults();
    await system.untilState(runIds.values(), 'done');
    const attempts = await system.reader.attempts(runId);
    expect(attempts.toSorted((one, other) => (one.recordedAtMs ?? 0) - (other.recordedAtMs ?? 0)).at(-1)?.stepId).toBe(slow);
  });
});
