import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import type { Command, StepResult } from '@trunkline/contracts';
import { SimulatorControl, startFixtureServer, type FixtureServer } from '@trunkline/connectors/testing';
import { inOrganisations } from '@trunkline/storage';
import { masterKey, openBench, type Bench } from './testing/bench.js';

jest.setTimeout(120_000);

const root = resolve(__dirname, '../../..');
const perSecond = 10;

let bench: Bench;
let server: FixtureServer;
let control: SimulatorControl;
let integrationId: string;
let worker: ChildProcess;

/** A worker as a process, a provider that counts what arrives, and a limit of ten calls a second. */
beforeAll(async () => {
  spawnSync(process.execPath, ['tools/build.mjs', '--all'], { cwd: root, stdio: 'inherit' });
  bench = await openBench();
  server = await startFixtureServer();
  control = new SimulatorControl(server.url);
  worker = spawn(process.execPath, ['libs/worker/dist/testing/worker-process.js'], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, DATABASE_URL: bench.url, WORKER_ID: 'late', MASTER_KEY: masterKey.toString('base64') } });
  if (worker.stdout !== null) await once(worker.stdout, 'data');
});

afterAll(async () => {
  const ended = once(worker, 'exit');
  worker.kill('SIGKILL');
  await ended;
  await server.stop();
  await bench.close();
});

beforeEach(async () => {
  integrationId = await bench.integration('fixture', { base_url: server.url, limit_per_second: perSecond });
});
afterEach(() => control.clear());

const commands = (count: number): readonly Command[] => Array.from({ length: count }, () => bench.command({ integrationId, provider: 'fixture', action: 'write_after_search' }, { text: 'late' }));

/** As the ledger: what was throttled comes again under the next dispatch, when it may. */
async function untilWritten(given: readonly Command[]): Promise<void> {
  const latest = new Map(given.map((command) => [command.runId, command]));
  await bench.until('every command written', async () => {
    const answered = [...latest.values()].flatMap((command) => bench.results.find((result) => result.runId === command.runId && result.dispatch === command.dispatch) ?? []);
    const open = answered.filter((result) => kindOf(result) !== 'ok');
    const due = open.filter(({ answer }) => answer.kind !== 'outcome' || answer.outcome.kind !== 'throttled' || answer.outcome.untilMs <= Date.now());
    const again = due.flatMap(({ runId, dispatch }) => ({ ...(latest.get(runId) as Command), dispatch: dispatch + 1 }));
    for (const command of again) latest.set(command.runId, command);
    if (again.length > 0) await bench.send('fixture', again);
    return answered.length === given.length && open.length === 0 ? true : undefined;
  }, 60_000);
}

const kindOf = ({ answer }: StepResult): string => (answer.kind === 'outcome' ? answer.outcome.kind : answer.finding.kind);
const intentsOf = async (given: readonly Command[]): Promise<number> => {
  const { rows } = await inOrganisations(bench.database.databases, [bench.organisationId], (client) => client.query<{ count: number }>('select count(*)::int as count from intents where run_id = any($1)', [given.map(({ runId }) => runId)]));
  return rows[0]?.count ?? 0;
};

/** The most calls in one second, wherever it begins. */
function fullestSecond(sinceMs: number): number {
  const times = server.arrivals.map(({ atMs }) => atMs).filter((atMs) => atMs >= sinceMs);
  return Math.max(...times.map((from) => times.filter((atMs) => atMs >= from && atMs < from + 1_000).length));
}

it('a worker frozen between grant and write keeps to the limit afterwards', async () => {
  const sinceMs = performance.now();
  await control.fault({ match: { path: '/token' }, latencyMs: 1_000, times: 1 });
  const early = commands(perSecond);
  await bench.send('fixture', early);
  await bench.until('grants that wait for their token', async () => ((await intentsOf(early)) === early.length ? true : undefined));
  worker.kill('SIGSTOP');
  const later = commands(2 * perSecond);
  await bench.send('fixture', later);
  // Longer than the window, shorter than what makes a worker give its partitions up.
  const frozenMs = performance.now();
  await bench.until('the window has passed', () => (performance.now() - frozenMs > 2_000 ? true : undefined));
  worker.kill('SIGCONT');
  await untilWritten([...early, ...later]);
  expect(fullestSecond(sinceMs)).toBeLessThanOrEqual(perSecond);
});

it('calls refused for their token and made again keep to the limit', async () => {
  const first = commands(1);
  await bench.send('fixture', first);
  await untilWritten(first);
  await bench.until('a second without calls', () => (performance.now() - (server.arrivals.at(-1)?.atMs ?? 0) > 1_200 ? true : undefined));
  const sinceMs = performance.now();
  await control.expireTokens();
  const refused = commands(3 * perSecond);
  await bench.send('fixture', refused);
  await untilWritten(refused);
  expect(server.arrivals.filter(({ atMs }) => atMs >= sinceMs).length).toBeGreaterThan(refused.length);
  expect(fullestSecond(sinceMs)).toBeLessThanOrEqual(perSecond);
});
