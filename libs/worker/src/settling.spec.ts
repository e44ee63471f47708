import type { StepOutcome } from '@trunkline/chain';
import type { Command } from '@trunkline/contracts';
import { fixture, SimulatorControl, startFixtureServer, type FixtureServer } from '@trunkline/connectors/testing';
import { allowEverywhere, createOutbound } from '@trunkline/outbound';
import { openBench, testVault, type Bench } from './testing/bench.js';
import { createWorker, type Worker } from './index.js';

jest.setTimeout(60_000);

let bench: Bench;
let server: FixtureServer;
let control: SimulatorControl;
let integrationId: string;
let worker: Worker;

beforeAll(async () => {
  bench = await openBench();
  server = await startFixtureServer();
  control = new SimulatorControl(server.url);
  const { databases } = bench.database;
  worker = createWorker({ family: 'fixture', providers: [fixture], databases, eventLog: bench.eventLog, vault: testVault(databases), workerId: 'spec', outbound: createOutbound({ policy: allowEverywhere }) });
  await worker.start();
});
afterAll(async () => {
  await worker.stop(1_000);
  await server.stop();
  await bench.close();
});
beforeEach(async () => {
  integrationId = await bench.integration('fixture', { base_url: server.url });
});
afterEach(() => control.clear());

const command = (): Command => bench.command({ integrationId, provider: 'fixture', action: 'write_after_search' }, { text: 'hello' });
const run = async (one: Command): Promise<StepOutcome> => {
  await worker.handleRecord(bench.record(one));
  const { answer } = await bench.resultOf(one);
  if (answer.kind !== 'outcome') throw new Error('a finding, not an outcome');
  return answer.outcome;
};

describe('settling', () => {
  const settle = async (one: Command) => {
    const before = bench.results.length;
    await worker.handleRecord(bench.record({ ...one, kind: 'settle' }));
    const result = await bench.until('the finding', () => bench.results.slice(before).find(({ runId, answer }) => runId === one.runId && answer.kind === 'finding'));
    return result.answer.kind === 'finding' ? result.answer.finding : undefined;
  };

  it('finds what was written, with the same result fields', async () => {
    const one = command();
    const outcome = await run(one);
    expect(outcome.kind).toBe('ok');
    if (outcome.kind === 'ok') expect(await settle(one)).toEqual({ kind: 'found', result: outcome.result, externalId: outcome.externalId });
  });

  it('finds nothing where nothing was written', async () => {
    expect(await settle(command())).toEqual({ kind: 'none' });
  });

  it('tells several apart', async () => {
    const one = command();
    await run(one);
    await run({ ...one, dispatch: 2 });
    expect(await settle(one)).toEqual({ kind: 'several', count: 2 });
  });

  it('says why it could not look', async () => {
    await control.fault({ match: { method: 'GET', path: '/searched' }, status: 429, retryAfter: '30', times: 1 });
    expect(await settle(command())).toMatchObject({ kind: 'failed', class: 'throttled', untilMs: expect.any(Number) as unknown });
    integrationId = await bench.integration('fixture', { base_url: server.url });
    await control.fault({ match: { method: 'GET', path: '/searched' }, status: 500, times: 1 });
    expect(await settle(command())).toMatchObject({ kind: 'failed', class: 'transient' });
    await control.revoke();
    integrationId = await bench.integration('fixture', { base_url: server.url });
    expect(await settle(command())).toMatchObject({ kind: 'failed', class: 'auth' });
  });
});
