import { randomUUID } from 'node:crypto';
import type { StepOutcome } from '@trunkline/chain';
import type { Command, StepResult } from '@trunkline/contracts';
import { fixture, SimulatorControl, startFixtureServer, type FixtureServer } from '@trunkline/connectors/testing';
import { allowEverywhere, createOutbound } from '@trunkline/outbound';
import { inOrganisations, placeOfCredentials } from '@trunkline/storage';
import { openBench, testVault, type Bench } from './testing/bench.js';
import { createWorker, HeartbeatStale, type Worker, type WorkerTuning } from './index.js';

jest.setTimeout(60_000);

let bench: Bench;
let server: FixtureServer;
let control: SimulatorControl;
let integrationId: string;
let worker: Worker;
const workers: Worker[] = [];

beforeAll(async () => {
  bench = await openBench();
  server = await startFixtureServer();
  control = new SimulatorControl(server.url);
});
afterAll(async () => {
  await server.stop();
  await bench.close();
});
beforeEach(async () => {
  integrationId = await bench.integration('fixture', { base_url: server.url });
  worker = await makeWorker();
});
afterEach(async () => {
  server.release();
  await control.clear();
  await Promise.all(workers.splice(0).map((made) => made.stop(1_000)));
});

/** Without a consumer: specs hand it records themselves. */
async function makeWorker(tuning: Partial<WorkerTuning> = {}, workerId = 'spec'): Promise<Worker> {
  const { databases } = bench.database;
  const made = createWorker({ family: 'fixture', providers: [fixture], databases, eventLog: bench.eventLog, vault: testVault(databases), workerId, tuning, outbound: createOutbound({ policy: allowEverywhere }) });
  await made.start();
  workers.push(made);
  return made;
}

const actionOf = { key: 'write_by_key', upsert: 'write_by_upsert', search: 'write_after_search', once: 'write_once', prepared: 'write_prepared', shortKey: 'write_by_short_key' } as const;
const command = (action: keyof typeof actionOf, rest: Partial<Command> = {}): Command => bench.command({ integrationId, provider: 'fixture', action: actionOf[action], ...rest }, { text: 'hello' });
const handle = (one: Command, by = worker) => by.handleRecord(bench.record(one));
const outcomeOf = ({ answer }: StepResult): StepOutcome => {
  if (answer.kind !== 'outcome') throw new Error('a finding, not an outcome');
  return answer.outcome;
};
const run = async (one: Command, by = worker): Promise<StepOutcome> => {
  await handle(one, by);
  return outcomeOf(await bench.resultOf(one));
};
/** However long the machine stood still meanwhile: a wait that begins between `sinceMs` and now. A date in a header has whole seconds. */
const isWait = (untilMs: number, waitMs: number, sinceMs: number): boolean => untilMs >= sinceMs + waitMs - 1_000 && untilMs <= Date.now() + waitMs + 1_000;
const resultsOf = ({ runId }: Command) => bench.results.filter((result) => result.runId === runId);
const effectsOf = ({ effectKey }: Command) => server.effects.filter(({ effectReference }) => effectReference === effectKey).length;
const system = <T>(work: Parameters<typeof inOrganisations<T>>[2]) => inOrganisations(bench.database.databases, [bench.organisationId], work);
const intentOf = async ({ runId, dispatch }: Command) => (await system((client) => client.query<{ state: string; expires_at: Date | null }>('select state, expires_at from intents where run_id = $1 and dispatch = $2', [runId, dispatch]))).rows[0];

describe('classification', () => {
  it.each([
    ['429 with seconds', { status: 429, retryAfter: '9' }, 9_000],
    ['429 with a date', { status: 429, retryAfter: 'DATE' }, 30_000],
    ['429 with seconds in its text', { status: 429, body: { code: 'too_many', message: 'Retry in [17] seconds' } }, 17_000],
    ['429 without any hint', { status: 429 }, 45_000],
    ['403 that is a limit', { status: 403, body: { code: 'LIMIT', message: 'Used up' } }, 20_000],
  ])('takes %s for throttling', async (_name, fault, waitMs) => {
    const sinceMs = Date.now();
    const retryAfter = 'retryAfter' in fault ? (fault.retryAfter === 'DATE' ? new Date(Date.now() + 30_000).toUTCString() : fault.retryAfter) : undefined;
    await control.fault({ match: { path: '/searched' }, ...fault, ...(retryAfter === undefined ? {} : { retryAfter }) });
    const outcome = await run(command('search'));
    expect(outcome).toMatchObject({ kind: 'throttled', untilMs: expect.any(Number) as unknown });
    if (outcome.kind === 'throttled') expect(isWait(outcome.untilMs, waitMs, sinceMs)).toBe(true);
  });

  it('sends nothing more while it is throttled', async () => {
    await control.fault({ match: { path: '/searched' }, status: 429, retryAfter: '60', times: 1 });
    await run(command('search'));
    const calls = await control.callCount();
    const later = command('search');
    expect(await run(later)).toMatchObject({ kind: 'throttled' });
    expect(await control.callCount()).toBe(calls);
    expect(await intentOf(later)).toMatchObject({ state: 'void' });
  });

  it('takes a 403 that is no limit for missing rights', async () => {
    await control.fault({ match: { path: '/searched' }, status: 403, body: { code: 'forbidden', message: 'No' } });
    expect(await run(command('search'))).toMatchObject({ kind: 'auth' });
  });

  it('takes revoked credentials for auth, and looks for new ones at the next command', async () => {
    await control.revoke();
    const refused = command('search');
    expect(await run(refused)).toMatchObject({ kind: 'auth', code: 'auth.invalid_client' });
    // The ledger closes nothing over credentials that have been replaced since.
    expect(resultsOf(refused)).toMatchObject([{ integrationVersion: expect.any(Number) }]);
    await control.clear();
    const sealed = await testVault(bench.database.databases).seal(JSON.stringify({ client_id: 'new', client_secret: 'new' }), placeOfCredentials(bench.organisationId, integrationId));
    await system((client) => client.query('update integrations set credentials = $1, version = version + 1 where id = $2', [sealed, integrationId]));
    expect(await run(command('search'))).toMatchObject({ kind: 'ok' });
  });

  it('takes credentials that cannot be opened for auth, and tells nothing of them', async () => {
    await system((client) => client.query('update integrations set credentials = $1, version = version + 1 where id = $2', [Buffer.from('rubbish'), integrationId]));
    const locked = command('search');
    expect(await run(locked)).toMatchObject({ kind: 'auth', code: 'integration.credentials_unreadable' });
    expect(resultsOf(locked)).toMatchObject([{ integrationVersion: expect.any(Number) }]);
  });

  it.each([
    ['key', 'transient'],
    ['upsert', 'transient'],
    ['search', 'unknown'],
    ['once', 'unknown'],
  ] as const)('takes a time-out after sending of %s for %s', async (action, kind) => {
    await run(command(action));
    server.hold('written');
    // A machine that stands still may let a short deadline pass before anything has been sent; then it is told so, and asked again with a longer one.
    let seen: { readonly outcome: StepOutcome; readonly effects: number } | undefined;
    for (const deadlineMs of [300, 3_000, 10_000]) {
      const one = command(action, { deadlineMs });
      seen = { outcome: await run(one), effects: effectsOf(one) };
      if (seen.effects > 0) break;
    }
    expect(seen).toMatchObject({ outcome: { kind }, effects: 1 });
  });

  it('says when the intent of an unknown effect expires', async () => {
    await control.fault({ match: { path: '/once' }, status: 502 });
    const sinceMs = Date.now();
    const outcome = await run(command('once', { deadlineMs: 7_000 }));
    expect(outcome.kind).toBe('unknown');
    if (outcome.kind === 'unknown') expect(isWait(outcome.expiresAtMs ?? 0, 7_000, sinceMs)).toBe(true);
  });

  it('takes the failure of a call before the write for transient: nothing is in doubt', async () => {
    await control.fault({ match: { path: '/parents' }, reset: 'after' });
    const one = command('prepared');
    expect(await run(one)).toMatchObject({ kind: 'transient' });
    expect(effectsOf(one)).toBe(0);
  });

  it('takes a key in use for transient and a key that stands for another body for unknown', async () => {
    await control.fault({ match: { path: '/keyed' }, status: 409, body: { code: 'key_in_use' }, times: 1 });
    const one = command('key');
    expect(await run(one)).toMatchObject({ kind: 'transient' });
    expect(await run({ ...one, dispatch: 2 })).toMatchObject({ kind: 'ok' });
    expect(await run({ ...one, dispatch: 3, input: Buffer.from('{"text":"other"}') })).toMatchObject({ kind: 'unknown', code: 'key_reused' });
  });

  it('dead-letters a record that is no command', async () => {
    const record = bench.record(command('key'));
    expect(await worker.handleRecord({ ...record, headers: record.headers.filter(([name]) => name !== 'tl_run') })).toMatchObject({ kind: 'dead-letter', code: 'command.unreadable' });
    expect(await worker.handleRecord({ ...record, value: null })).toMatchObject({ kind: 'dead-letter' });
    expect(await worker.handleRecord({ ...record, headers: [] })).toMatchObject({ kind: 'dead-letter' });
  });

  it('fails an input that no call can be made of, without a call', async () => {
    const calls = await control.callCount();
    expect(await run(command('search', { input: Buffer.from('{"text":') }))).toMatchObject({ kind: 'failed', class: 'data' });
    expect(await run(command('search', { input: Buffer.from('{}') }))).toMatchObject({ kind: 'failed', class: 'data' });
    expect(await control.callCount()).toBe(calls);
  });

  it('parks what it does not know', async () => {
    expect(await run(command('search', { action: 'write_by_telepathy' }))).toEqual({ kind: 'parked', reason: 'worker-older-than-plan' });
    expect(await run(command('search', { action: 'constructor' }))).toEqual({ kind: 'parked', reason: 'worker-older-than-plan' });
    expect(await run(command('search', { provider: 'unheard-of' }))).toEqual({ kind: 'parked', reason: 'worker-older-than-plan' });
    expect(await run(command('search', { integrationId: randomUUID() }))).toEqual({ kind: 'parked', reason: 'integration-gone' });
  });
});

describe('intents', () => {
  it('opens one before the call of search-first, never and ordered steps, and none for others', async () => {
    for (const one of [command('search'), command('once'), command('upsert', { orderingKey: 'subject' })]) {
      await run(one);
      expect(await intentOf(one)).toMatchObject({ state: 'open', expires_at: expect.any(Date) as unknown });
    }
    const free = command('upsert');
    await run(free);
    expect(await intentOf(free)).toBeUndefined();
  });

  it.each(['search', 'once'] as const)('answers unknown for a copy of %s that finds an open intent, without a call', async (action) => {
    const one = command(action, { deadlineMs: 30_000 });
    server.hold('arrived');
    const first = handle(one);
    await bench.until('the first call', () => (server.inFlight === 1 ? true : undefined));
    await handle(one, await makeWorker({}, 'other'));
    expect(outcomeOf(await bench.resultOf(one))).toMatchObject({ kind: 'unknown', code: 'intent.open' });
    server.release();
    await first;
    await bench.until('both results', () => (resultsOf(one).length === 2 ? true : undefined));
    expect(resultsOf(one).map((result) => outcomeOf(result).kind).toSorted()).toEqual(['ok', 'unknown']);
    expect(effectsOf(one)).toBe(1);
  });

  it('discards a copy of an ordered upsert', async () => {
    const one = command('upsert', { orderingKey: 'subject' });
    await run(one);
    expect(await handle(one)).toEqual({ kind: 'done' });
    await run(command('upsert'));
    expect(resultsOf(one)).toHaveLength(1);
    expect(effectsOf(one)).toBe(1);
  });

  it('discards a command whose intent the sweeper has made void', async () => {
    const one = command('search');
    await system((client) => client.query(`insert into intents (organisation_id, run_id, step_id, dispatch, state) values ($1, $2, $3, $4, 'void')`, [one.organisationId, one.runId, one.stepId, one.dispatch]));
    expect(await handle(one)).toEqual({ kind: 'done' });
    await run(command('upsert'));
    expect(resultsOf(one)).toEqual([]);
    expect(effectsOf(one)).toBe(0);
  });

  it('lets exactly one of many workers call', async () => {
    const one = command('search');
    const others = await Promise.all([1, 2, 3].map((number) => makeWorker({}, `other-${number}`)));
    const everybody = (copy: Command) => Promise.all([...others, worker].flatMap((by) => [handle(copy, by), handle(copy, by)]));
    await everybody(one);
    // A budget has one owner: workers that take it from each other at once may all be told to wait. Who is told so first makes the intent void, and the ledger sends the command again as the next dispatch.
    let latest = one;
    await bench.until('a call', async () => {
      if (effectsOf(one) > 0) return true;
      if ((await intentOf(latest))?.state === 'void') latest = { ...latest, dispatch: latest.dispatch + 1 };
      await handle(latest);
      return effectsOf(one) > 0 ? true : undefined;
    });
    await everybody(latest);
    expect(effectsOf(one)).toBe(1);
  });

  it('makes void, and answers expired, when it comes too late', async () => {
    // A worker's measure of the database's clock may be off by parts of a second.
    const one = command('search', { startBeforeMs: Date.now() - 60_000 });
    expect(await run(one)).toEqual({ kind: 'expired' });
    expect(await intentOf(one)).toEqual({ state: 'void', expires_at: null });
    await handle(one);
    await run(command('upsert'));
    expect(resultsOf(one)).toHaveLength(1);
  });

  it('treats a key older than half its life as search-first', async () => {
    const young = command('shortKey');
    await run(young);
    expect(await intentOf(young)).toBeUndefined();
    const old = command('shortKey', { firstDispatchedAtMs: Date.now() - 50_000 });
    await run(old);
    expect(await intentOf(old)).toMatchObject({ state: 'open' });
  });
});

describe('heartbeat', () => {
  it('starts no call when the last heartbeat is older than half the session time-out', async () => {
    const calls = await control.callCount();
    const one = command('search');
    worker.attach({ lastHeartbeatMs: () => performance.now() - 6_000, sessionTimeoutMs: 10_000 });
    await expect(handle(one)).rejects.toMatchObject({ definition: { code: HeartbeatStale.code } });
    expect(await intentOf(one)).toBeUndefined();
    expect(await control.callCount()).toBe(calls);
  });

  it('does not write when it grows old between the intent and the write', async () => {
    const callsBeforeWrites = (): number => server.arrivals.filter(({ path }) => path === '/parents').length;
    let known = Number.POSITIVE_INFINITY;
    // Old from the moment on at which the call before the write is under way.
    worker.attach({ lastHeartbeatMs: () => performance.now() - (callsBeforeWrites() > known ? 6_000 : 0), sessionTimeoutMs: 10_000 });
    await run(command('prepared'));
    known = callsBeforeWrites();
    const one = command('prepared');
    expect(await run(one)).toMatchObject({ kind: 'transient', reached: false });
    expect(callsBeforeWrites()).toBe(known + 1);
    expect(effectsOf(one)).toBe(0);
  });
});

describe('breaker', () => {
  it('opens after failures, answers without a call, and lets one try through later', async () => {
    const quick = await makeWorker({ breaker: { errorPercentage: 50, volume: 5, windowMs: 60_000, openMs: 1_000 } });
    await control.fault({ match: { path: '/upserted' }, status: 503 });
    for (let number = 0; number < 5; number += 1) await run(command('upsert'), quick);
    // Each time it has been open for its time one call is tried; on a machine that stands still that may be the next one, and hardly the next three.
    let outcome: StepOutcome | undefined;
    for (let tries = 0; tries < 3 && outcome === undefined; tries += 1) {
      const calls = await control.callCount();
      const told = await run(command('upsert'), quick);
      if ((await control.callCount()) === calls) outcome = told;
    }
    expect(outcome).toMatchObject({ kind: 'throttled', code: 'breaker.open', gate: 'provider-down' });
    await control.clear();
    await bench.until('a try that succeeds', async () => ((await run(command('upsert'), quick)).kind === 'ok' ? true : undefined));
    expect(await run(command('upsert'), quick)).toMatchObject({ kind: 'ok' });
  });

  /** Found by `trunkline bench neighbour`: a provider whose answers have no end was called on and on, a megabyte each time, and took the processor from everybody else. */
  it.each(['upsert', 'search'] as const)('opens for answers that are none, although they begin with a success: %s', async (action) => {
    const quick = await makeWorker({ breaker: { errorPercentage: 50, volume: 5, windowMs: 60_000, openMs: 60_000 } });
    await control.fault({ match: { method: action === 'upsert' ? 'PUT' : 'POST', path: action === 'upsert' ? '/upserted' : '/searched' }, malformed: true });
    for (let number = 0; number < 5; number += 1) await run(command(action), quick);
    const calls = await control.callCount();
    expect(await run(command(action), quick)).toMatchObject({ kind: 'throttled', code: 'breaker.open', gate: 'provider-down' });
    expect(await control.callCount()).toBe(calls);
  });

  it('does not open for refusals, throttling or bad input', async () => {
    const quick = await makeWorker({ breaker: { errorPercentage: 50, volume: 3, windowMs: 60_000, openMs: 60_000 } });
    await control.fault({ match: { path: '/once' }, status: 400, times: 8 });
    for (let number = 0; number < 8; number += 1) expect(await run(command('once'), quick)).toMatchObject({ kind: 'failed' });
    expect(await run(command('once'), quick)).toMatchObject({ kind: 'ok' });
  });
});

describe('budget', () => {
  it('sends no more calls than the integration may, and says when the next one fits', async () => {
    integrationId = await bench.integration('fixture', { base_url: server.url, limit_per_minute: 3 });
    const quick = await makeWorker({ budgetWaitMs: 100 });
    const sinceMs = Date.now();
    for (let number = 0; number < 3; number += 1) expect(await run(command('upsert'), quick)).toMatchObject({ kind: 'ok' });
    const outcome = await run(command('upsert'), quick);
    expect(outcome).toMatchObject({ kind: 'throttled', code: 'budget.per_minute' });
    if (outcome.kind === 'throttled') expect(outcome.untilMs - sinceMs).toBeGreaterThan(55_000);
  });

  it('hands what was used to the next owner, killed or not', async () => {
    integrationId = await bench.integration('fixture', { base_url: server.url, limit_per_minute: 10 });
    const before = await makeWorker({ budgetWaitMs: 100 }, 'before');
    for (let number = 0; number < 9; number += 1) await run(command('upsert'), before);
    await bench.until('the stored budget', async () => {
      const { rows } = await system((client) => client.query<{ used: number }>('select used from budget_windows where integration_id = $1', [integrationId]));
      return (rows[0]?.used ?? 0) >= 9 ? true : undefined;
    });
    const heir = await makeWorker({ budgetWaitMs: 100 }, 'heir');
    const kinds = [];
    for (let number = 0; number < 3; number += 1) kinds.push((await run(command('upsert'), heir)).kind);
    expect(kinds.filter((kind) => kind === 'ok').length).toBeLessThanOrEqual(1);
    expect(kinds.at(-1)).toBe('throttled');
  });

  it('never has more calls running than the provider takes at once', async () => {
    integrationId = await bench.integration('fixture', { base_url: server.url, limit_concurrent: 2 });
    server.hold('arrived');
    const running = Array.from({ length: 6 }, () => handle(command('upsert')));
    await bench.until('two calls', () => (server.inFlight === 2 ? true : undefined));
    await new Promise((resolve) => setImmediate(resolve));
    expect(server.inFlight).toBe(2);
    server.release();
    expect(await Promise.all(running)).toHaveLength(6);
  });
});

describe('hand-over', () => {
  it('lets the partition go on while a call hangs, and sends its result when it comes', async () => {
    const quick = await makeWorker({ handOverMs: 100 });
    await run(command('upsert'), quick);
    server.hold('arrived', { goesOn: true });
    const one = command('upsert', { deadlineMs: 20_000 });
    expect(await handle(one, quick)).toMatchObject({ kind: 'deferred', reason: 'call in flight' });
    const rows = () => system((client) => client.query('select expires_at from handovers where run_id = $1', [one.runId]));
    expect((await rows()).rowCount).toBe(1);
    expect(resultsOf(one)).toEqual([]);
    server.release();
    expect(outcomeOf(await bench.resultOf(one))).toMatchObject({ kind: 'ok' });
    await bench.until('the row to go', async () => ((await rows()).rowCount === 0 ? true : undefined));
  });

  it('needs no row where the intent stands for the call', async () => {
    const quick = await makeWorker({ handOverMs: 100 });
    await run(command('search'), quick);
    server.hold('arrived', { goesOn: true });
    const one = command('search', { deadlineMs: 20_000 });
    expect(await handle(one, quick)).toMatchObject({ kind: 'deferred' });
    expect((await system((client) => client.query('select from handovers where run_id = $1', [one.runId]))).rowCount).toBe(0);
    server.release();
    expect(outcomeOf(await bench.resultOf(one))).toMatchObject({ kind: 'ok' });
  });

  it('counts its time from where the call begins: what came before it may have taken longer', async () => {
    const quick = await makeWorker({ handOverMs: 1 });
    server.hold('arrived', { goesOn: true });
    const one = command('search', { deadlineMs: 20_000 });
    expect(await handle(one, quick)).toMatchObject({ kind: 'deferred', reason: 'call in flight' });
    server.release();
    expect(outcomeOf(await bench.resultOf(one))).toMatchObject({ kind: 'ok' });
  });

  it('waits at its end for calls that were handed over', async () => {
    const quick = await makeWorker({ handOverMs: 50 });
    server.hold('arrived', { goesOn: true });
    const one = command('search', { deadlineMs: 20_000 });
    await handle(one, quick);
    const stopped = quick.stop(5_000);
    server.release();
    await stopped;
    expect(outcomeOf(await bench.resultOf(one))).toMatchObject({ kind: 'ok' });
  });
});

it('keeps order within integration and subject, and holds nothing else together', () => {
  const key = (rest: Partial<Command>) => worker.orderingKey(bench.record(command('upsert', rest)));
  expect(key({ orderingKey: 'a' })).toBe(key({ orderingKey: 'a' }));
  expect(key({ orderingKey: 'a' })).not.toBe(key({ orderingKey: 'b' }));
  expect(key({})).not.toBe(key({}));
});

it('opens credentials of one organisation for nobody else', async () => {
  const stranger = randomUUID();
  expect(await run(command('search', { organisationId: stranger }))).toEqual({ kind: 'parked', reason: 'integration-gone' });
});
