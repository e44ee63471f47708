import type { Command } from '@trunkline/contracts';
import { openBench, stepOf, type Bench } from './testing/index.js';

/** `ordering: subject`: effects of one subject in the order of planning, whatever happens in between (delivery §3). */
describe('the order of a subject', () => {
  let bench: Bench;

  beforeAll(async () => {
    bench = await openBench();
  }, 60_000);

  afterAll(() => bench?.close(), 60_000);

  const chain = async (): Promise<void> => {
    const integration = await bench.integration();
    await bench.chain('conversation_ended', [stepOf('free', integration, 10), stepOf('ordered', await bench.integration(), 20, { ordering: 'subject', retry: { attempts: 3, backoffMs: 600_000, maxBackoffMs: 600_000 } })], new Date(Date.now() - 30_000));
  };
  const ok = { kind: 'ok', result: null, externalId: null } as const;
  const of = (commands: readonly Command[], id: string): Command => {
    const found = commands.find((command) => command.runId === bench.runIdOf(id));
    if (found === undefined) throw new Error(`no command for ${id}`);
    return found;
  };

  it('lets a run that is ahead wait for the one planned before it, through its deferral, and wakes it then', async () => {
    await chain();
    const ledgers = [bench.ledger(), bench.ledger()] as const;
    await ledgers[0].handleBatch([bench.record(bench.event('conversation_ended', 's1', {}, 'Ana')), bench.record(bench.event('conversation_ended', 's2', {}, 'Ana')), bench.record(bench.event('conversation_ended', 's3', {}, 'Bo'))]);
    const free = await bench.sent();
    expect(free.map((command) => command.orderingKey)).toEqual([null, null, null]);
    await ledgers[1].handleBatch([bench.answer(of(free, 's2'), ok), bench.answer(of(free, 's3'), ok)]);
    const ahead = await bench.sent();
    expect(ahead.map((command) => command.runId)).toEqual([bench.runIdOf('s3')]);
    expect(ahead[0]?.orderingKey).toMatch(/^[0-9a-f]{32}$/);
    expect(await bench.verbs().showRun(bench.organisationId, bench.runIdOf('s2'))).toMatchObject({ steps: [{ state: 'done' }, { state: 'ready', reason: 'subject-busy' }] });
    await ledgers[0].handleBatch([bench.answer(of(free, 's1'), ok)]);
    const first = of(await bench.sent(), 's1');
    await ledgers[0].handleBatch([bench.answer(first, { kind: 'transient', code: 'http.503', message: 'busy', reached: true })]);
    await ledgers[1].passes.due();
    expect([await bench.statesOf('s1'), await bench.statesOf('s2'), await bench.sent()]).toEqual([{ free: 'done', ordered: 'deferred' }, { free: 'done', ordered: 'ready' }, []]);
    await bench.letTimePass();
    await ledgers[1].passes.due();
    const again = of(await bench.sent(), 's1');
    expect(again.dispatch).toBe(2);
    await ledgers[0].handleBatch([bench.answer(again, ok)]);
    await ledgers[0].passes.due();
    expect((await bench.sent()).map((command) => [command.runId, command.stepId])).toEqual([[bench.runIdOf('s2'), 'ordered']]);
  });

  it.each([
    ['dead-lettered', { kind: 'failed', class: 'data', code: 'http.422', message: 'no' }],
    ['done', ok],
  ] as const)('goes on when the run before is %s', async (_, outcome) => {
    await chain();
    const ledger = bench.ledger();
    const subject = `after ${outcome.kind}`;
    await ledger.handleBatch(['a', 'b'].map((name) => bench.record(bench.event('conversation_ended', `${subject} ${name}`, {}, subject))));
    await ledger.handleBatch((await bench.sent()).map((command) => bench.answer(command, ok)));
    const [head, ...rest] = await bench.sent();
    expect([head?.runId, rest]).toEqual([bench.runIdOf(`${subject} a`), []]);
    if (head !== undefined) await ledger.handleBatch([bench.answer(head, outcome)]);
    await ledger.passes.due();
    expect((await bench.sent()).map((command) => command.runId)).toEqual([bench.runIdOf(`${subject} b`)]);
  });

  it('is held by a run whose event comes again in the very flush that lets the next one ask for its turn', async () => {
    await chain();
    // Neither knows from memory what the other has planned: so it is after a kill, and when a partition moves.
    const ledgers = [bench.ledger(), bench.ledger()] as const;
    const events = ['first', 'second'].map((name) => bench.record(bench.event('conversation_ended', `again ${name}`, {}, 'Cleo')));
    await ledgers[0].handleBatch(events);
    const free = await bench.sent();
    await ledgers[1].handleBatch([...events.slice(0, 1), bench.answer(of(free, 'again second'), ok)]);
    expect(await bench.sent()).toEqual([]);
    await ledgers[1].handleBatch([bench.answer(of(free, 'again first'), ok)]);
    expect((await bench.sent()).map((command) => [command.runId, command.stepId])).toEqual([[bench.runIdOf('again first'), 'ordered']]);
  });

  it('is not held by a run whose first step failed and that never reaches its ordered one', async () => {
    await chain();
    const ledger = bench.ledger();
    await ledger.handleBatch(['x', 'y'].map((name) => bench.record(bench.event('conversation_ended', `skip ${name}`, {}, 'skipper'))));
    const free = await bench.sent();
    await ledger.handleBatch([bench.answer(of(free, 'skip y'), ok)]);
    await ledger.handleBatch([bench.answer(of(free, 'skip x'), { kind: 'failed', class: 'data', code: 'c', message: 'm' })]);
    await ledger.passes.due();
    expect((await bench.sent()).map((command) => command.runId)).toEqual([bench.runIdOf('skip y')]);
  });

  it('gives a redriven run a new number behind those planned meanwhile', async () => {
    await chain();
    const ledger = bench.ledger();
    const plan = (id: string) => ledger.handleBatch([bench.record(bench.event('conversation_ended', id, {}, 'Cy'))]);
    await plan('r1');
    await ledger.handleBatch((await bench.sent()).map((command) => bench.answer(command, ok)));
    await ledger.handleBatch((await bench.sent()).map((command) => bench.answer(command, { kind: 'failed', class: 'data', code: 'c', message: 'm' })));
    await plan('r2');
    await ledger.handleBatch((await bench.sent()).map((command) => bench.answer(command, ok)));
    const second = of(await bench.sent(), 'r2');
    await bench.verbs().redrive(bench.organisationId, { filter: { runId: bench.runIdOf('r1') }, dryRun: false, perSecond: null, force: false });
    await ledger.passes.due();
    expect([await bench.sent(), await bench.statesOf('r1')]).toEqual([[], { free: 'done', ordered: 'ready' }]);
    await ledger.handleBatch([bench.answer(second, ok)]);
    await ledger.passes.due();
    const redriven = of(await bench.sent(), 'r1');
    expect(redriven.dispatch).toBe(2);
    await ledger.handleBatch([bench.answer(redriven, ok)]);
    expect(await bench.stateOf('r1')).toBe('done');
    expect(await bench.query('select closed_because from dead_letters where run_id = $1', [bench.runIdOf('r1')])).toEqual([{ closed_because: 'redriven' }]);
  });

  it('leaves no holder behind', async () => {
    const ledger = bench.ledger();
    await ledger.handleBatch(bench.commands.map((command) => bench.answer(command, ok)));
    await bench.letTimePass();
    await bench.work([ledger]);
    expect(await bench.query('select run_id from subject_holders')).toEqual([]);
  });
});
