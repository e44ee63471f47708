import type { EventLog } from '@trunkline/event-log';
import { openBench, stepOf, type Bench } from './testing/index.js';

const ok = { kind: 'ok', result: { id: 'made' }, externalId: 'made' } as const;
const failed = { kind: 'failed', class: 'data', code: 'http.422', message: 'the provider says no' } as const;

describe('what people ask of the ledger', () => {
  let bench: Bench;

  beforeAll(async () => {
    bench = await openBench();
  }, 60_000);

  beforeEach(async () => {
    await bench.clear();
    const integration = await bench.integration();
    await bench.chain('conversation_ended', [stepOf('log', integration, 10, { action: 'search' }), stepOf('job', integration, 20, { action: 'key', input: { of: 'steps.log.id' } }), stepOf('push', integration, 30, { input: { of: 'steps.job.id' } })], new Date(Date.now() - 60_000));
  });

  afterAll(() => bench?.close(), 60_000);

  const run = async (id: string, subject: string | null = null): Promise<string> => {
    const ledger = bench.ledger();
    await ledger.handleBatch([bench.record(bench.event('conversation_ended', id, { n: 1 }, subject))]);
    return bench.runIdOf(id);
  };

  it('lists runs newest first, in pages, by state, type, subject and time, and no others', async () => {
    for (let index = 0; index < 5; index += 1) {
      await bench.ledger().handleBatch([bench.record(bench.event('conversation_ended', `l${index}`, {}, index % 2 === 0 ? 'Ana' : 'Bo'), 1_700_000_000_000 + index)]);
    }
    await bench.query(`update chain_versions set valid_from = to_timestamp(0)`);
    const verbs = bench.verbs();
    const ids = async (filter: object) => (await verbs.listRuns(bench.organisationId, { limit: 50, ...filter })).items.map((item) => item.eventId);
    expect(await ids({})).toEqual(['l4', 'l3', 'l2', 'l1', 'l0']);
    expect(await ids({ subject: 'Ana' })).toEqual(['l4', 'l2', 'l0']);
    expect(await ids({ eventType: 'escalation' })).toEqual([]);
    expect(await ids({ state: 'done' })).toEqual(['l4', 'l3', 'l2', 'l1', 'l0']);
    expect(await ids({ acceptedAfterMs: 1_700_000_000_001, acceptedBeforeMs: 1_700_000_000_003 })).toEqual(['l2', 'l1']);
    const pages: string[][] = [];
    let after: string | undefined;
    do {
      const page = await verbs.listRuns(bench.organisationId, { limit: 2, ...(after !== undefined && { after }) });
      pages.push(page.items.map((item) => item.eventId));
      after = page.next ?? undefined;
    } while (after !== undefined);
    expect(pages).toEqual([['l4', 'l3'], ['l2', 'l1'], ['l0']]);
    await expect(verbs.listRuns(bench.organisationId, { limit: 2, after: 'x' })).rejects.toMatchObject({ code: 'ledger.filter_invalid' });
    expect(await verbs.showRun('11111111-1111-4111-8111-111111111111', bench.runIdOf('l1'))).toBeNull();
  });

  it('shows the timeline of a run with the provider\'s request ids', async () => {
    const runId = await run('shown', 'Ana');
    const [command] = await bench.sent();
    if (command === undefined) return;
    await bench.ledger().handleBatch([bench.answer(command, ok, { startedAtMs: Date.now(), durationMs: 41.6, httpStatus: 201, providerRequestId: 'req-7', method: 'POST', path: '/notes' })]);
    expect(await bench.verbs().showRun(bench.organisationId, runId)).toMatchObject({
      runId, rootRunId: runId, state: 'running', subject: 'Ana', chainVersion: 1,
      event: { data: bench.event('conversation_ended', 'shown', { n: 1 }).data },
      steps: [{ id: 'log', name: 'log', provider: 'bench', action: 'search', state: 'done', externalId: 'made', dispatch: 1 }, { id: 'job', state: 'sent' }, { id: 'push', state: 'waiting' }],
      attemptList: [{ stepId: 'log', dispatch: 1, kind: 'execute', outcome: 'ok', durationMs: 42, httpStatus: 201, providerRequestId: 'req-7' }],
    });
  });

  it('cancels what has not been sent; what has been ends as it settles', async () => {
    const runId = await run('cancelled');
    const [command] = await bench.sent();
    const verbs = bench.verbs();
    expect(await verbs.cancel(bench.organisationId, runId)).toEqual({ state: 'running', cancelled: ['job', 'push'], requested: ['log'], possiblyWritten: [] });
    if (command !== undefined) await bench.ledger().handleBatch([bench.answer(command, failed)]);
    expect([await bench.stateOf('cancelled'), await bench.statesOf('cancelled')]).toEqual(['cancelled', { log: 'cancelled', job: 'cancelled', push: 'cancelled' }]);
    expect(await verbs.cancel(bench.organisationId, bench.organisationId)).toBeNull();
  });

  it('redrives a dead-lettered step in its run, and the chain continues from there', async () => {
    const runId = await run('redriven');
    const ledger = bench.ledger();
    const verbs = bench.verbs();
    const fail = async (): Promise<void> => {
      const [command] = await bench.sent();
      if (command !== undefined) await ledger.handleBatch([bench.answer(command, failed)]);
    };
    await fail();
    expect([await bench.stateOf('redriven'), await bench.statesOf('redriven')]).toEqual(['dead-lettered', { log: 'dead-lettered', job: 'skipped', push: 'skipped' }]);
    const request = { filter: { code: 'http.422' }, dryRun: false, perSecond: null, force: false };
    expect(await verbs.redrive(bench.organisationId, { ...request, dryRun: true })).toMatchObject({ matched: 1, redriven: 0, byClass: { data: 1 }, sample: [{ runId, stepId: 'log', message: 'the provider says no', times: 1 }] });
    for (const times of [2, 3]) {
      expect(await verbs.redrive(bench.organisationId, request)).toMatchObject({ matched: 1, redriven: 1 });
      await ledger.passes.due();
      await fail();
      expect((await verbs.listDeadLetters(bench.organisationId, { limit: 5, isOpen: true })).items.map((letter) => letter.times)).toEqual([times]);
    }
    expect(await verbs.redrive(bench.organisationId, request)).toMatchObject({ redriven: 0, refused: [{ reason: expect.stringContaining('force') }] });
    await verbs.redrive(bench.organisationId, { ...request, force: true });
    await ledger.passes.due();
    await bench.work([ledger]);
    expect(await bench.stateOf('redriven')).toBe('done');
    expect((await verbs.listDeadLetters(bench.organisationId, { limit: 5, isOpen: true })).items).toEqual([]);
  });

  it('says before a redrive which runs go to the end of the line of their subject', async () => {
    const integration = await bench.integration();
    await bench.chain('escalation', [stepOf('one', integration, 10, { ordering: 'subject' })]);
    const ledger = bench.ledger();
    await ledger.handleBatch([bench.record(bench.event('escalation', 'ordered', {}, 'Ana')), bench.record(bench.event('escalation', 'nobody'))]);
    await run('unordered', 'Ana');
    await ledger.handleBatch((await bench.sent()).map((command) => bench.answer(command, failed)));
    const request = { filter: {}, perSecond: null, force: false };
    expect(await bench.verbs().redrive(bench.organisationId, { ...request, dryRun: true })).toMatchObject({ matched: 3, redriven: 0, renumbered: 1 });
  });

  it('keeps the pace asked for', async () => {
    for (let index = 0; index < 3; index += 1) await run(`paced ${index}`);
    const ledger = bench.ledger();
    await ledger.handleBatch((await bench.sent()).map((command) => bench.answer(command, failed)));
    await bench.verbs().redrive(bench.organisationId, { filter: {}, dryRun: false, perSecond: 0.1, force: false });
    expect(await bench.query(`select round(extract(epoch from due_at - min(due_at) over ()))::int as after from due_work where kind = 'redrive' order by due_at`)).toEqual([{ after: 0 }, { after: 10 }, { after: 20 }]);
  });

  it('sends a dead-lettered record back to its topic as it was, under the time it first had', async () => {
    const record = { ...bench.record(bench.event('conversation_ended', 'repaired')), value: Buffer.from('not json') };
    await bench.ledger().handleBatch([record]);
    const verbs = bench.verbs();
    const [letter] = (await verbs.listDeadLetters(bench.organisationId, { limit: 1 })).items;
    expect((await verbs.showDeadLetter(bench.organisationId, letter?.id ?? ''))?.record).toMatchObject({ value: Buffer.from('not json'), headers: record.headers });
    await verbs.redrive(bench.organisationId, { ids: [letter?.id ?? ''], filter: {}, dryRun: false, perSecond: null, force: false });
    const appended: unknown[] = [];
    const ledger = bench.ledger({ eventLog: { driver: 'postgres', clockOffsetMs: () => null, lag: async () => [], append: async (topic, records) => (appended.push([topic, records[0]?.value?.toString(), records[0]?.headers.slice(-2).map(([name, value]) => [name, value.toString()])]), []) } });
    await ledger.passes.due();
    expect(appended).toEqual([['events.conversation_ended', 'not json', [['tl_first_appended', String(record.appendedAtMs)], ['tl_dead_letter', letter?.id]]]]);
    await bench.ledger().handleBatch([{ ...record, offset: record.offset + 1_000n, headers: [...record.headers, ['tl_dead_letter', Buffer.from(letter?.id ?? '')]] }]);
    expect((await verbs.listDeadLetters(bench.organisationId, { limit: 9 })).items.map((item) => [item.id, item.times, item.closedAtMs])).toEqual([[letter?.id, 2, null]]);
  });

  it('leaves a letter open whose record has come back and failed again before its redrive is written down', async () => {
    const record = { ...bench.record(bench.event('conversation_ended', 'back at once')), value: Buffer.from('not json') };
    await bench.ledger().handleBatch([record]);
    const verbs = bench.verbs();
    const [letter] = (await verbs.listDeadLetters(bench.organisationId, { limit: 1 })).items;
    await verbs.redrive(bench.organisationId, { ids: [letter?.id ?? ''], filter: {}, dryRun: false, perSecond: null, force: false });
    const append: EventLog['append'] = async () => {
      await bench.ledger().handleBatch([{ ...record, offset: record.offset + 1_000n, headers: [...record.headers, ['tl_dead_letter', Buffer.from(letter?.id ?? '')]] }]);
      return [];
    };
    await bench.ledger({ eventLog: { driver: 'postgres', clockOffsetMs: () => null, lag: async () => [], append } }).passes.due();
    expect((await verbs.listDeadLetters(bench.organisationId, { limit: 9, isOpen: true })).items.map((item) => [item.id, item.times])).toEqual([[letter?.id, 2]]);
    expect(await bench.query(`select from due_work where kind = 'record'`)).toEqual([]);
  });

  it('sends what a worker dead-lettered back to the topic it came from, not to dead-letters', async () => {
    const origin = { 'x-dlq-topic': 'commands.crm', 'x-dlq-partition': '3', 'x-dlq-offset': '77', 'x-dlq-appended-at': '1700000000000', 'x-dlq-code': 'command.unreadable', 'x-dlq-reason': 'no JSON' };
    const headers = [['tl_organisation', Buffer.from(bench.organisationId)] as const, ...Object.entries(origin).map(([name, value]) => [name, Buffer.from(value)] as const)];
    await bench.ledger().handleBatch([bench.raw('dead-letters', { value: Buffer.from('bytes'), headers })]);
    const verbs = bench.verbs();
    const [letter] = (await verbs.listDeadLetters(bench.organisationId, { limit: 1 })).items;
    expect(letter).toMatchObject({ topic: 'commands.crm', partition: 3, offset: '77', code: 'command.unreadable', message: 'no JSON' });
    await verbs.redrive(bench.organisationId, { ids: [letter?.id ?? ''], filter: {}, dryRun: false, perSecond: null, force: false });
    const appended: unknown[] = [];
    await bench.ledger({ eventLog: { driver: 'postgres', clockOffsetMs: () => null, lag: async () => [], append: async (topic, records) => (appended.push([topic, records[0]?.value?.toString(), records[0]?.headers.map(([name, value]) => `${name}=${value.toString()}`)]), []) } }).passes.due();
    expect(appended).toEqual([['commands.crm', 'bytes', [`tl_organisation=${bench.organisationId}`, 'tl_first_appended=1700000000000', `tl_dead_letter=${letter?.id}`]]]);
  });

  it('a log that refuses a redriven record holds up no due work, keeps the letter open, and gets it again', async () => {
    const lost = { ...bench.record(bench.event('conversation_ended', 'refused letter')), value: Buffer.from('not json') };
    await bench.ledger().handleBatch([lost]);
    const verbs = bench.verbs();
    const [letter] = (await verbs.listDeadLetters(bench.organisationId, { limit: 1 })).items;
    await verbs.redrive(bench.organisationId, { ids: [letter?.id ?? ''], filter: {}, dryRun: false, perSecond: null, force: false });
    const runId = await run('due beside it');
    const [command] = await bench.sent();
    if (command === undefined) throw new Error('nothing was sent');
    const reports: string[] = [];
    const refusing: EventLog['append'] = async (topic, records) => (topic.startsWith('events.') ? Promise.reject(new Error('no such topic')) : records.map(() => ({ partition: 0, offset: 0n })));
    const ledger = bench.ledger({ report: (_error, act) => reports.push(act), eventLog: { driver: 'postgres', clockOffsetMs: () => null, lag: async () => [], append: refusing } });
    await ledger.handleBatch([bench.answer(command, { kind: 'transient', code: 'http.503', message: 'later', reached: true })]);
    await bench.letTimePass();
    await ledger.passes.due();
    expect(reports).toEqual([`sending dead letter ${letter?.id} back to events.conversation_ended`]);
    expect((await verbs.showRun(bench.organisationId, runId))?.steps[0]).toMatchObject({ state: 'sent', dispatch: 2 });
    expect((await verbs.showDeadLetter(bench.organisationId, letter?.id ?? ''))?.closedAtMs).toBeNull();
    await bench.letTimePass();
    const taken: string[] = [];
    await bench.ledger({ eventLog: { driver: 'postgres', clockOffsetMs: () => null, lag: async () => [], append: async (topic) => (taken.push(topic), []) } }).passes.due();
    expect(taken).toContain('events.conversation_ended');
    expect((await verbs.showDeadLetter(bench.organisationId, letter?.id ?? ''))?.closedAtMs).not.toBeNull();
  });

  it('replays with the same effect keys: what is done is taken as recorded, upsert calls again', async () => {
    const runId = await run('replayed');
    const ledger = bench.ledger();
    const first = await bench.work([ledger]);
    const verbs = bench.verbs();
    const request = { version: 'pinned', fromStep: null, newEffects: false, dryRun: false, idempotencyKey: 'once' } as const;
    expect((await verbs.replay(bench.organisationId, runId, { ...request, dryRun: true }))?.steps.map((step) => step.will)).toEqual(['take the recorded result', 'take the recorded result', 'call again with the same key']);
    const answer = await verbs.replay(bench.organisationId, runId, request);
    expect(await verbs.replay(bench.organisationId, runId, request)).toEqual(answer);
    const commands = await bench.work([ledger]);
    expect(commands.map((command) => [command.runId, command.stepId, command.effectKey])).toEqual([[answer?.runId, 'push', first[2]?.effectKey]]);
    expect(await verbs.showRun(bench.organisationId, answer?.runId ?? '')).toMatchObject({ state: 'done', rootRunId: runId, steps: [{ externalId: 'log-made' }, { externalId: 'job-made' }, { externalId: 'push-made' }] });
  });

  it('holds a replay while the first run may still write', async () => {
    const runId = await run('family');
    const [sent] = await bench.sent();
    const ledger = bench.ledger();
    const verbs = bench.verbs();
    await verbs.replay(bench.organisationId, runId, { version: 'pinned', fromStep: null, newEffects: false, dryRun: false, idempotencyKey: null });
    await ledger.passes.due();
    await ledger.passes.gates();
    expect(await bench.sent()).toEqual([]);
    if (sent !== undefined) await ledger.handleBatch([bench.answer(sent, ok)]);
    await bench.letTimePass();
    const commands = await bench.work([ledger]);
    expect(commands.filter((command) => command.action !== 'upsert').map((command) => command.stepId)).toEqual(['job']);
    await bench.letTimePass();
    await bench.work([ledger]);
    await bench.letTimePass();
    await bench.work([ledger]);
    expect(await bench.query('select state from runs')).toEqual([{ state: 'done' }, { state: 'done' }]);
    expect(bench.commands.filter((command) => command.action !== 'upsert').map((command) => command.stepId)).toEqual(['log', 'job']);
  });

  it('a replay beside an old copy of the first run looks at the run as it is stored', async () => {
    const due = (where: string, values: string) => bench.query(`update due_work set ${values} where run_id ${where}`, [bench.runIdOf('old copy')]);
    await bench.query('update integrations set paused = true');
    const ledger = bench.ledger();
    await ledger.handleBatch([bench.record(bench.event('conversation_ended', 'old copy'))]);
    const answer = await bench.verbs().replay(bench.organisationId, bench.runIdOf('old copy'), { version: 'pinned', fromStep: null, newEffects: false, dryRun: false, idempotencyKey: null });
    await ledger.passes.due();
    await due('= $1', `kind = 'turn', due_at = clock_timestamp()`);
    await ledger.passes.due();
    await bench.query('update integrations set paused = false');
    await due('<> $1', `leased_until = clock_timestamp() + interval '1 hour'`);
    await bench.ledger().passes.gates();
    expect((await bench.sent()).map((command) => [command.runId, command.stepId])).toEqual([[bench.runIdOf('old copy'), 'log']]);
    await due('<> $1', `leased_until = null, due_at = clock_timestamp() - interval '1 minute'`);
    await bench.query(`insert into due_work (organisation_id, run_id, step_id, kind, integration_id, due_at) select organisation_id, $1, step_id, kind, integration_id, clock_timestamp() from due_work where run_id = $2`, [bench.runIdOf('old copy'), answer?.runId]);
    await ledger.passes.gates();
    expect(await bench.sent()).toEqual([]);
  });

  it('makes new effects only when asked, and starts from a step with what came before as recorded', async () => {
    const runId = await run('anew');
    const ledger = bench.ledger();
    const first = await bench.work([ledger]);
    const verbs = bench.verbs();
    await verbs.replay(bench.organisationId, runId, { version: 'current', fromStep: 'job', newEffects: true, dryRun: false, idempotencyKey: null });
    await ledger.passes.due();
    const commands = await bench.work([ledger]);
    expect(commands.map((command) => [command.stepId, command.input.toString()])).toEqual([['job', '{"of":"log-made"}'], ['push', '{"of":"job-made"}']]);
    expect(first.map((command) => command.effectKey)).not.toContain(commands[0]?.effectKey);
    const unfinished = await run('unfinished');
    await expect(verbs.replay(bench.organisationId, unfinished, { version: 'current', fromStep: 'job', newEffects: false, dryRun: true, idempotencyKey: null })).rejects.toMatchObject({ code: 'run.replay_refused' });
  });
});
