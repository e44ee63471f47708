import type { Command } from '@trunkline/contracts';
import { openBench, stepOf, type Bench } from './testing/index.js';

/** Commands nobody answered (delivery §8), and effects that may or may not exist (P4). */
describe('the sweeper', () => {
  let bench: Bench;
  const actions = ['upsert', 'key', 'search', 'never'] as const;

  beforeAll(async () => {
    bench = await openBench();
    for (const [index, action] of actions.entries()) {
      const integration = await bench.integration();
      await bench.chain(['conversation_ended', 'escalation', 'contact_request', 'low_score'][index] ?? '', [stepOf('one', integration, 10, { action, input: { who: 'event.data.who' } })]);
    }
  }, 60_000);

  afterAll(() => bench?.close(), 60_000);

  const typeOf = (action: (typeof actions)[number]): string => ({ upsert: 'conversation_ended', key: 'escalation', search: 'contact_request', never: 'low_score' })[action];
  const overdue = (command: Command) => bench.query(`update dispatches set sweep_at = clock_timestamp() - interval '1 second', leased_until = null where items like '%' || $1 || '%'`, [command.runId]);
  const begin = async (action: (typeof actions)[number], id: string): Promise<Command> => {
    await bench.ledger().handleBatch([bench.record(bench.event(typeOf(action), id, { who: id }))]);
    const command = (await bench.sent()).find((sent) => sent.runId === bench.runIdOf(id));
    if (command === undefined) throw new Error('nothing was sent');
    return command;
  };
  const openIntent = (command: Command) => bench.query(`insert into intents (organisation_id, run_id, step_id, dispatch, state, expires_at) values ($1, $2, $3, $4, 'open', clock_timestamp())`, [command.organisationId, command.runId, command.stepId, command.dispatch]);

  it('leaves alone what is not overdue, and everything while results lie unread from before that time', async () => {
    const command = await begin('upsert', 'unread');
    expect(await bench.ledger().passes.sweep()).toBe(0);
    await overdue(command);
    bench.lags.push({ topic: 'results', partition: 0, endOffset: 9n, committed: 1n, lag: 8n, oldestUnreadAtMs: Date.now() - 60_000 });
    expect(await bench.ledger().passes.sweep()).toBe(0);
    bench.lags.splice(0);
    expect(await bench.ledger().passes.sweep()).toBe(1);
    expect((await bench.sent()).map(({ runId, dispatch }) => [runId, dispatch])).toEqual([[command.runId, 2]]);
  });

  it.each(['upsert', 'key'] as const)('sends %s again under a new dispatch, with the same bytes and effect key', async (action) => {
    const first = await begin(action, `again ${action}`);
    await overdue(first);
    await bench.ledger().passes.sweep();
    const [second] = await bench.sent();
    expect(second).toMatchObject({ dispatch: 2, effectKey: first.effectKey, input: first.input, firstDispatchedAtMs: first.firstDispatchedAtMs });
    expect(await bench.query('select * from intents where run_id = $1', [first.runId])).toEqual([]);
  });

  it.each(['search', 'never'] as const)('decides "never started" of %s by writing the void intent itself', async (action) => {
    const first = await begin(action, `void ${action}`);
    await overdue(first);
    await bench.ledger().passes.sweep();
    expect(await bench.query('select dispatch, state from intents where run_id = $1', [first.runId])).toEqual([{ dispatch: 1, state: 'void' }]);
    expect((await bench.sent()).map((command) => command.dispatch)).toEqual([2]);
  });

  it('looks up a swept step not before the open intent says that its worker has given up', async () => {
    const ledger = bench.ledger();
    const first = await begin('search', 'slow worker');
    await openIntent(first);
    await bench.query(`update intents set expires_at = clock_timestamp() + interval '1 hour' where run_id = $1`, [first.runId]);
    await overdue(first);
    await ledger.passes.sweep();
    const [due] = await bench.query<{ seconds: number }>('select extract(epoch from due_at - clock_timestamp())::float8 as seconds from due_work where run_id = $1', [first.runId]);
    expect(due?.seconds).toBeGreaterThan(3_500);
  });

  it('finds an open intent: the effect is unknown, looked up twice, and sent again only when it is surely absent', async () => {
    const ledger = bench.ledger();
    const first = await begin('search', 'open');
    await openIntent(first);
    await overdue(first);
    await ledger.passes.sweep();
    expect(await bench.statesOf('open')).toEqual({ one: 'unknown' });
    expect(await bench.sent()).toEqual([]);
    const [{ due } = { due: 0 }] = await bench.stepsOf('open') as { due: number }[];
    expect(due).toBeGreaterThan(first.startBeforeMs);
    await bench.letTimePass();
    await ledger.passes.due();
    expect(await bench.sent()).toEqual([]);
    await bench.query(`update runs set steps = regexp_replace(steps, '"due":\\d+', '"due":' || (extract(epoch from clock_timestamp()) * 1000)::bigint - 1000), rev = rev + 1 where run_id = $1`, [first.runId]);
    const later = bench.ledger();
    await bench.letTimePass();
    await later.passes.due();
    const [look] = await bench.sent();
    expect(look).toMatchObject({ kind: 'settle', dispatch: 1, effectKey: first.effectKey });
    if (look === undefined) return;
    const lookedUpAtMs = Date.now();
    await later.handleBatch([bench.finding(look, { kind: 'none' }, lookedUpAtMs), bench.finding(look, { kind: 'none' }, lookedUpAtMs)]);
    expect(await bench.statesOf('open')).toEqual({ one: 'unknown' });
    await later.handleBatch([bench.finding(look, { kind: 'none' }, lookedUpAtMs + 5_000)]);
    const [second] = await bench.sent();
    expect(second).toMatchObject({ kind: 'execute', dispatch: 2 });
  });

  it('asks again when nobody answers a look-up', async () => {
    const ledger = bench.ledger();
    const first = await begin('search', 'silent');
    await ledger.handleBatch([bench.answer(first, { kind: 'unknown', code: 'reset', message: 'connection reset', expiresAtMs: Date.now() - 1 })]);
    // The ledger's measure of the database's clock may be off by some milliseconds, and then a pass comes too early for it.
    const sentWhenDue = async (): Promise<readonly string[]> => {
      for (let passes = 0; passes < 100; passes += 1) {
        await ledger.passes.due();
        const sent = await bench.sent();
        if (sent.length > 0) return sent.map((command) => command.kind);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      return [];
    };
    expect(await sentWhenDue()).toEqual(['settle']);
    await ledger.passes.due();
    expect(await bench.sent()).toEqual([]);
    await bench.letTimePass();
    expect(await sentWhenDue()).toEqual(['settle']);
  });

  it('takes what a look-up has found as the result', async () => {
    const ledger = bench.ledger();
    const first = await begin('search', 'found');
    await ledger.handleBatch([bench.answer(first, { kind: 'unknown', code: 'reset', message: 'connection reset', expiresAtMs: Date.now() - 1 })]);
    await ledger.handleBatch([bench.finding(first, { kind: 'found', result: { id: 'N-1' }, externalId: 'N-1' }, Date.now())]);
    expect(await bench.stateOf('found')).toBe('done');
    expect(await bench.query('select outcome from attempts where run_id = $1 order by recorded_at, outcome desc', [first.runId])).toEqual([{ outcome: 'unknown' }, { outcome: 'found' }]);
    expect(await bench.query('select * from due_work where run_id = $1', [first.runId])).toEqual([]);
  });

  it('parks an unknown "never" for a person, whose answer ends it', async () => {
    const ledger = bench.ledger();
    const first = await begin('never', 'asked');
    await openIntent(first);
    await overdue(first);
    await ledger.passes.sweep();
    expect([await bench.statesOf('asked'), await bench.stateOf('asked')]).toEqual([{ one: 'parked' }, 'parked']);
    const verbs = bench.verbs();
    expect(await verbs.processQueue(bench.organisationId)).toEqual({ deferred: 0, parked: 0 });
    const run = await verbs.settle(bench.organisationId, first.runId, 'one', { kind: 'done', externalId: 'SR-5' });
    expect(run).toMatchObject({ state: 'done', steps: [{ state: 'done', externalId: 'SR-5' }] });
    await expect(verbs.settle(bench.organisationId, first.runId, 'one', { kind: 'not-done' })).rejects.toMatchObject({ code: 'run.step_not_asked' });
  });

  it('sends a "never" again only when a person says that it is not there', async () => {
    const first = await begin('never', 'denied');
    await openIntent(first);
    await overdue(first);
    await bench.ledger().passes.sweep();
    await bench.verbs().settle(bench.organisationId, first.runId, 'one', { kind: 'not-done' });
    expect(await bench.statesOf('denied')).toEqual({ one: 'ready' });
    const ledger = bench.ledger();
    await ledger.passes.gates();
    expect((await bench.sent()).map((command) => [command.runId, command.dispatch])).toEqual([[first.runId, 2]]);
  });

  it('forgets dispatches that have been answered', async () => {
    const ledger = bench.ledger();
    const first = await begin('upsert', 'forgotten');
    await ledger.handleBatch([bench.answer(first, { kind: 'ok', result: null, externalId: null })]);
    await overdue(first);
    expect(await ledger.passes.sweep()).toBe(0);
    expect(await bench.query(`select 1 from dispatches where items like '%' || $1 || '%'`, [first.runId])).toEqual([]);
  });

  it('keeps the dispatch of a step that could not be swept: the step does not stay sent for ever', async () => {
    const first = await begin('upsert', 'refused');
    await overdue(first);
    await bench.query(`create or replace function bench_refuse() returns trigger language plpgsql as $$ begin raise exception 'bench' using errcode = '22000'; end $$`);
    await bench.query(`create trigger bench_refuse before update on runs for each row when (old.run_id = '${first.runId}') execute function bench_refuse()`);
    const reports: string[] = [];
    try {
      await bench.ledger({ report: (_error, act) => reports.push(act) }).passes.sweep();
    } finally {
      await bench.query('drop trigger bench_refuse on runs');
    }
    expect(reports).toEqual([`working in a sweep item of run ${first.runId}`]);
    expect(await bench.sent()).toEqual([]);
    await overdue(first);
    await bench.ledger().passes.sweep();
    expect((await bench.sent()).map(({ runId, dispatch }) => [runId, dispatch])).toEqual([[first.runId, 2]]);
  });

  it('takes unread results of unknown age for old ones', async () => {
    const command = await begin('upsert', 'ageless');
    await overdue(command);
    bench.lags.push({ topic: 'results', partition: 0, endOffset: 9n, committed: 1n, lag: 8n, oldestUnreadAtMs: null });
    expect(await bench.ledger().passes.sweep()).toBe(0);
    bench.lags.splice(0);
    expect(await bench.ledger().passes.sweep()).toBe(1);
    await bench.sent();
  });

  it('does not probe an integration whose worker had begun', async () => {
    const ledger = bench.ledger();
    const first = await begin('search', 'begun');
    await openIntent(first);
    await overdue(first);
    await ledger.passes.sweep();
    expect(ledger.figures().gates.find((gate) => gate.integrationId === first.integrationId)?.cap).toBeGreaterThan(1);
  });

  it('parks what is to be looked up at an integration that is gone, and sends nothing nobody could answer', async () => {
    const first = await begin('search', 'gone');
    await bench.ledger().handleBatch([bench.answer(first, { kind: 'unknown', code: 'reset', message: 'connection reset', expiresAtMs: Date.now() - 1 })]);
    await bench.sent();
    const rows = await bench.query<{ provider: string; name: string }>('delete from integrations where id = $1 returning provider, name', [first.integrationId]);
    try {
      await bench.query(`update runs set steps = regexp_replace(steps, '"due":\\d+', '"due":1000'), rev = rev + 1 where run_id = $1`, [first.runId]);
      await bench.letTimePass();
      await bench.ledger().passes.due();
      expect([await bench.statesOf('gone'), await bench.sent()]).toEqual([{ one: 'parked' }, []]);
    } finally {
      await bench.query('insert into integrations (organisation_id, id, provider, name) values ($1, $2, $3, $4)', [first.organisationId, first.integrationId, rows[0]?.provider, rows[0]?.name]);
    }
  });
});
