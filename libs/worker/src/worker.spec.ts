import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { providers } from '@trunkline/connectors';
import { startSimulator, type RunningSimulator, type SimulatedProvider } from '@trunkline/simulators';
import { openBench, type Bench } from './testing/bench.js';

jest.setTimeout(60_000);

let bench: Bench;
let folder: string;
const simulators: RunningSimulator[] = [];

beforeAll(async () => {
  bench = await openBench();
  folder = await mkdtemp(join(tmpdir(), 'trunkline-worker-'));
});

afterAll(async () => {
  await bench.close();
  await Promise.all(simulators.map((simulator) => simulator.stop()));
  await rm(folder, { recursive: true, force: true });
});

async function simulator(provider: SimulatedProvider): Promise<string> {
  const running = await startSimulator({ provider, dataDir: join(folder, `${provider}-${simulators.length}`), limits: 'off', searchLagMs: 0, credentials: { clientId: 'id', clientSecret: 'secret' } });
  simulators.push(running);
  return running.url;
}

it('takes commands of three families from the log and answers on results', async () => {
  const cases = [
    { provider: 'genesys', family: 'contact-centre', action: 'log_conversation', setting: 'api_url', input: { text: 'They asked about a bin.', contact_reference: 'resident-1', contact_name: 'Resident' } },
    { provider: 'techone', family: 'erp', action: 'create_job', setting: 'base_url', input: { description: 'Missed bin' } },
    { provider: 'salesforce', family: 'crm', action: 'push_summary', setting: 'instance_url', input: { subject: 'Missed bin', job_number: 'WR-000001' } },
  ] as const;
  for (const { provider, family, action, setting, input } of cases) {
    const integrationId = await bench.integration(provider, { [setting]: await simulator(provider) });
    // TechnologyOne takes two calls at once: of eighty the last waits for its place for as long as all before it take, also where the machine stands still.
    await bench.worker({ family, providers: providers.filter((known) => known.family === family), tuning: { budgetWaitMs: 15_000 } });
    const command = bench.command({ integrationId, provider, action }, input);
    await bench.send(family, [command]);
    const result = await bench.resultOf(command);
    expect(result.answer).toMatchObject({ kind: 'outcome', outcome: { kind: 'ok', externalId: expect.any(String) as unknown } });
    expect(result.call).toMatchObject({ httpStatus: expect.any(Number) as unknown, method: expect.stringMatching(/POST|PATCH/) as unknown });
  }
});

it('stays within the vendor\'s limit as the vendor counts it, and gives back what does not fit', async () => {
  const running = await startSimulator({ provider: 'techone', dataDir: join(folder, 'limited'), limits: 'vendor', searchLagMs: 0, credentials: { clientId: 'id', clientSecret: 'secret' } });
  simulators.push(running);
  const integrationId = await bench.integration('techone', { base_url: running.url });
  const commands = Array.from({ length: 80 }, () => bench.command({ integrationId, provider: 'techone', action: 'create_job' }, { description: 'Missed bin' }));
  await bench.send('erp', commands);
  const results = await Promise.all(commands.map((command) => bench.resultOf(command, 30_000)));
  const kinds = results.map(({ answer }) => (answer.kind === 'outcome' ? answer.outcome.kind : 'finding'));
  const { windows, limited } = (await (await fetch(`${running.url}/_control/stats`)).json()) as { readonly windows: readonly { readonly calls: number; readonly refused: number }[]; readonly limited?: number };
  expect(windows.map(({ refused }) => refused)).toEqual([0]);
  expect(limited ?? 0).toBe(0);
  expect(windows[0]?.calls).toBe(60);
  expect(kinds.filter((kind) => kind === 'ok')).toHaveLength(60);
  expect(kinds.filter((kind) => kind === 'throttled')).toHaveLength(20);
});
