import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import type { RepeatMethod } from '@trunkline/chain';
import type { Command, StepResult } from '@trunkline/contracts';
import { startFixtureServer, type FixtureServer } from '@trunkline/connectors/testing';
import { masterKey, openBench, type Bench } from './testing/bench.js';

jest.setTimeout(180_000);

const root = resolve(__dirname, '../../..');
const actions = { key: 'write_by_key', upsert: 'write_by_upsert', 'search-first': 'write_after_search', never: 'write_once' } as const satisfies Record<RepeatMethod, string>;
const methods = Object.keys(actions) as readonly RepeatMethod[];
const perMethod = 15;

let bench: Bench;
let server: FixtureServer;
let integrationId: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  spawnSync(process.execPath, ['tools/build.mjs', '--all'], { cwd: root, stdio: 'inherit' });
  bench = await openBench();
  server = await startFixtureServer();
  integrationId = await bench.integration('fixture', { base_url: server.url });
});

afterAll(async () => {
  await endChildren();
  await server.stop();
  await bench.close();
});

afterEach(() => endChildren());

async function endChildren(): Promise<void> {
  server.release();
  await Promise.all(children.splice(0).map(kill));
}

async function startWorker(name: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['libs/worker/dist/testing/worker-process.js'], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, DATABASE_URL: bench.url, WORKER_ID: name, MASTER_KEY: masterKey.toString('base64') } });
  children.push(child);
  if (child.stdout !== null) await once(child.stdout, 'data');
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

/** Commands of every repeat method, more than fifty in all. */
function commandsOfEach(): readonly Command[] {
  return methods.flatMap((method) => Array.from({ length: perMethod }, () => bench.command({ integrationId, provider: 'fixture', action: actions[method], deadlineMs: 110_000, startBeforeMs: Date.now() + 110_000 }, { text: method })));
}

const of = (commands: readonly Command[], ...wanted: readonly RepeatMethod[]) => commands.filter(({ action }) => wanted.some((method) => actions[method] === action));
const effectsOf = ({ effectKey }: Command) => server.effects.filter(({ effectReference, kind }) => effectReference === effectKey && kind === 'created').length;
const kindOf = ({ answer }: StepResult) => (answer.kind === 'outcome' ? answer.outcome.kind : answer.finding.kind);

async function inFlight(least: number, moment: string): Promise<void> {
  const count = await bench.until(`${least} writes in flight`, () => (server.inFlight >= least ? server.inFlight : undefined), 30_000);
  process.stderr.write(`killed with ${count} writes in flight: ${moment}\n`);
}

const kinds = async (commands: readonly Command[]) => new Set(await Promise.all(commands.map(async (command) => kindOf(await bench.resultOf(command, 40_000)))));

/** What the ledger does with an `unknown`: looks, and sends again only what is not there. */
async function settleAndResend(commands: readonly Command[]): Promise<readonly string[]> {
  const settles = commands.map((command): Command => ({ ...command, kind: 'settle', stepId: `${command.stepId}`, dispatch: command.dispatch }));
  const before = bench.results.length;
  await bench.send('fixture', settles);
  const found = await bench.until('the findings', () => {
    const findings = bench.results.slice(before).filter(({ answer }) => answer.kind === 'finding');
    return findings.length >= commands.length ? findings : undefined;
  }, 40_000);
  const absent = commands.filter(({ runId }) => found.some((result) => result.runId === runId && kindOf(result) === 'none'));
  const resent = absent.map((command) => ({ ...command, dispatch: command.dispatch + 1 }));
  await bench.send('fixture', resent);
  expect(await kinds(resent)).toEqual(new Set(resent.length > 0 ? ['ok'] : []));
  return found.map(kindOf);
}

it.each([
  { name: 'before the write', moment: 'arrived', goesOn: false, written: 0 },
  { name: 'before a write that is done all the same', moment: 'arrived', goesOn: true, written: 1 },
  { name: 'after the write', moment: 'written', goesOn: false, written: 1 },
] as const)('killed $name: one effect for key, upsert and search-first, none too many for never', async ({ name, moment, goesOn, written }) => {
  const commands = commandsOfEach();
  server.hold(moment, { goesOn });
  const first = await startWorker('first');
  await bench.send('fixture', commands);
  await inFlight(50, name);
  // A worker that stood still for a while may be given a command of its own again: a key or an upsert is then written twice at once.
  await bench.until('all writes in flight', () => (server.inFlight >= commands.length ? true : undefined), 30_000);
  await kill(first);
  await bench.until('the server noticing that its callers are gone', () => (server.abandoned >= commands.length ? true : undefined));
  // What is on its way lands, or not, before anybody looks: that is what `commitWithinMs` states.
  server.release();
  await bench.until('the calls of the dead worker', () => (server.inFlight === 0 ? true : undefined));

  await startWorker('second');
  expect(await kinds(of(commands, 'key', 'upsert'))).toEqual(new Set(['ok']));
  expect(await kinds(of(commands, 'search-first', 'never'))).toEqual(new Set(['unknown']));
  expect(new Set(of(commands, 'search-first', 'never').map(effectsOf))).toEqual(new Set([written]));

  const findings = await settleAndResend(of(commands, 'search-first'));
  expect(new Set(findings)).toEqual(new Set([written === 1 ? 'found' : 'none']));
  expect(new Set(of(commands, 'key', 'upsert', 'search-first').map(effectsOf))).toEqual(new Set([1]));
  expect(new Set(of(commands, 'never').map(effectsOf))).toEqual(new Set([written]));
});

it('frozen while its calls run, and its commands given to another: one effect each, and the late answer counts', async () => {
  const commands = commandsOfEach();
  server.hold('arrived', { goesOn: true });
  const frozen = await startWorker('frozen');
  await bench.send('fixture', commands);
  await inFlight(50, 'redelivered while the first call still runs');
  await bench.until('all writes in flight', () => (server.inFlight >= commands.length ? true : undefined), 30_000);
  frozen.kill('SIGSTOP');
  await startWorker('heir');
  // The heir never calls where an intent stands; keys and upserts it sends a second time, beside the first call.
  expect(await kinds(of(commands, 'search-first', 'never'))).toEqual(new Set(['unknown']));
  await bench.until('the second calls of keys and upserts', () => (server.inFlight >= commands.length + 2 * perMethod ? true : undefined), 30_000);
  server.release();
  expect(await kinds(of(commands, 'key', 'upsert'))).toEqual(new Set(['ok']));
  frozen.kill('SIGCONT');
  await bench.until('the late answers', () => {
    const late = bench.results.filter((result) => result.worker === 'frozen' && kindOf(result) === 'ok' && commands.some(({ runId }) => runId === result.runId));
    return late.length >= 2 * perMethod ? true : undefined;
  }, 40_000);
  expect(new Set(commands.map(effectsOf))).toEqual(new Set([1]));
});

it('gives copies of a command no second effect', async () => {
  const commands = commandsOfEach();
  await startWorker('only');
  await bench.send('fixture', [...commands, ...commands, ...commands]);
  await bench.until('all results', () => (commands.every(({ runId }) => bench.results.some((result) => result.runId === runId && kindOf(result) === 'ok')) ? true : undefined), 120_000);
  expect(new Set(commands.map(effectsOf))).toEqual(new Set([1]));
});
