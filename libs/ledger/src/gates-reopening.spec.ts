import { openBench, stepOf, type Bench } from './testing/index.js';

/** What opens again must let through exactly what waits behind it: nothing stalls, nothing slips past. */
describe('gates that open again', () => {
  let bench: Bench;
  let integration: string;

  beforeAll(async () => {
    bench = await openBench();
  }, 60_000);

  beforeEach(async () => {
    await bench.clear();
    integration = await bench.integration();
    await bench.chain('escalation', [stepOf('one', integration, 10)]);
  });

  afterAll(() => bench?.close(), 60_000);

  it('reads a run again whose cached copy has nothing to do for its due row: another ledger has moved it on', async () => {
    const [first, second] = [bench.ledger(), bench.ledger()];
    await bench.query('update integrations set paused = true');
    await first.handleBatch([bench.record(bench.event('escalation', 'moved on'))]);
    await bench.query('update integrations set paused = false');
    await second.passes.gates();
    const [command] = await bench.sent();
    if (command === undefined) throw new Error('nothing was sent');
    await second.handleBatch([bench.answer(command, { kind: 'transient', code: '503', message: '', reached: true })]);
    let sent = 0;
    for (let round = 0; round < 5 && sent === 0; round += 1) {
      await bench.letTimePass();
      await first.passes.due();
      await first.passes.gates();
      sent = (await bench.sent()).length;
    }
    expect(sent).toBe(1);
  });

  it('a throttle after a reconnect closes the gate for every ledger', async () => {
    const ledger = bench.ledger();
    await ledger.handleBatch([bench.record(bench.event('escalation', 'reconnected'))]);
    const [refused] = await bench.sent();
    if (refused === undefined) throw new Error('nothing was sent');
    await ledger.handleBatch([bench.answer(refused, { kind: 'auth', code: '401', message: '' })]);
    await bench.query(`update integrations set updated_at = clock_timestamp() + interval '1 ms'`);
    await ledger.passes.gates();
    const [throttled] = await bench.sent();
    if (throttled === undefined) throw new Error('nothing was sent after the reconnect');
    await ledger.handleBatch([bench.answer(throttled, { kind: 'throttled', untilMs: Date.now() + 3_600_000, code: '429', message: '' })]);
    const other = bench.ledger();
    await other.passes.gates();
    expect([other.figures().gates.map((gate) => gate.closedBecause), (await bench.sent()).length]).toEqual([['throttled'], 0]);
  });

  it('is not closed by a refusal of credentials that were read before others were saved, however late it was said', async () => {
    const ledger = bench.ledger();
    await ledger.handleBatch([bench.record(bench.event('escalation', 'refused late'))]);
    const [command] = await bench.sent();
    if (command === undefined) throw new Error('nothing was sent');
    const [saved] = await bench.query<{ version: number }>('update integrations set version = version + 1, updated_at = clock_timestamp() where id = $1 returning version', [integration]);
    const isSaidLater = { startedAtMs: Date.now() + 60_000, durationMs: 1, httpStatus: 401, providerRequestId: null, method: 'POST', path: '/' };
    await ledger.handleBatch([bench.answer(command, { kind: 'auth', code: '401', message: '' }, isSaidLater, (saved?.version ?? 0) - 1)]);
    await bench.letTimePass();
    await ledger.passes.gates();
    const [again] = await bench.sent();
    if (again === undefined) throw new Error('nothing was sent again');
    expect(await bench.query('select reason from gates')).toEqual([]);
    await ledger.handleBatch([bench.answer(again, { kind: 'auth', code: '401', message: '' }, isSaidLater, saved?.version)]);
    expect(await bench.query('select reason from gates')).toEqual([{ reason: 'reconnect' }]);
  });

  it('is closed by a refusal of the credentials in force, also where one of older ones comes in the same flush', async () => {
    const ledger = bench.ledger();
    await ledger.handleBatch([bench.record(bench.event('escalation', 'refused old')), bench.record(bench.event('escalation', 'refused new'))]);
    const [old, current] = await bench.sent();
    if (old === undefined || current === undefined) throw new Error('not both were sent');
    const [saved] = await bench.query<{ version: number }>(`update integrations set version = version + 1, updated_at = clock_timestamp() - interval '1 s' where id = $1 returning version`, [integration]);
    const version = saved?.version ?? 0;
    await ledger.handleBatch([bench.answer(old, { kind: 'auth', code: '401', message: '' }, null, version - 1), bench.answer(current, { kind: 'auth', code: '401', message: '' }, null, version)]);
    expect(await bench.query('select reason, integration_version from gates')).toEqual([{ reason: 'reconnect', integration_version: version }]);
  });

  it('does not keep a look-up that met it closed for longer than half a minute: somebody may reconnect at any time', async () => {
    await bench.chain('conversation_ended', [stepOf('one', integration, 10, { action: 'search' })]);
    const ledger = bench.ledger();
    await ledger.handleBatch([bench.record(bench.event('conversation_ended', 'in doubt')), bench.record(bench.event('conversation_ended', 'refused'))]);
    const [doubtful, refused] = await bench.sent();
    if (doubtful === undefined || refused === undefined) throw new Error('not both were sent');
    await ledger.handleBatch([bench.answer(refused, { kind: 'auth', code: '401', message: '' })]);
    await ledger.handleBatch([bench.answer(doubtful, { kind: 'unknown', code: 'reset', message: 'connection reset', expiresAtMs: Date.now() - 60_000 })]);
    await bench.letTimePass();
    await ledger.passes.due();
    expect(await bench.sent()).toEqual([]);
    const [due] = await bench.query<{ seconds: number }>(`select extract(epoch from due_at - clock_timestamp())::float8 as seconds from due_work where kind = 'look-up'`);
    expect(due?.seconds).toBeLessThanOrEqual(30.5);
  });

  it('opens for credentials whose saving began before it was closed and ended after', async () => {
    const ledger = bench.ledger();
    await ledger.handleBatch([bench.record(bench.event('escalation', 'saved slowly'))]);
    const [command] = await bench.sent();
    if (command === undefined) throw new Error('nothing was sent');
    await ledger.handleBatch([bench.answer(command, { kind: 'auth', code: '401', message: '' })]);
    await bench.query(`update integrations set version = version + 1, updated_at = clock_timestamp() - interval '1 minute' where id = $1`, [integration]);
    await ledger.passes.gates();
    expect(await bench.sent()).toHaveLength(1);
  });

  it('stays closed for the longer of two throttles, whichever was said last and by whichever ledger', async () => {
    await bench.chain('conversation_ended', [stepOf('one', integration, 10)]);
    const [first, second] = [bench.ledger(), bench.ledger()];
    await first.handleBatch([bench.record(bench.event('conversation_ended', 'long')), bench.record(bench.event('conversation_ended', 'short'))]);
    const [long, short] = await bench.sent();
    if (long === undefined || short === undefined) throw new Error('nothing was sent');
    const untilMs = Date.now() + 3_600_000;
    await first.handleBatch([bench.answer(long, { kind: 'throttled', untilMs, code: '429', message: '' })]);
    await second.handleBatch([bench.answer(short, { kind: 'throttled', untilMs: Date.now() + 1_000, code: '429', message: '' })]);
    expect(await bench.query('select reason, round(extract(epoch from open_at) * 1000)::float8 as open_at_ms from gates')).toEqual([{ reason: 'throttled', open_at_ms: untilMs }]);
  });

  it('lets nobody who comes later pass those who wait behind it', async () => {
    const ledger = bench.ledger();
    await bench.verbs().pause(bench.organisationId, integration);
    await ledger.handleBatch([1, 2, 3, 4].map((number) => bench.record(bench.event('escalation', `early ${number}`))));
    await bench.verbs().resume(bench.organisationId, integration);
    await ledger.handleBatch([bench.raw('config.changes', { key: Buffer.from(bench.organisationId) })]);
    await ledger.handleBatch([bench.record(bench.event('escalation', 'late'))]);
    expect([ledger.figures().gates.map((gate) => gate.closedBecause), await bench.sent()]).toEqual([[null], []]);
    await bench.work([ledger]);
    const order = bench.commands.map((command) => command.runId);
    expect([order.length, order.indexOf(bench.runIdOf('late'))]).toEqual([5, 4]);
  });

  it('has room again when another ledger has taken the answers', async () => {
    const [sender, answering] = [bench.ledger(), bench.ledger()];
    await sender.handleBatch(Array.from({ length: 6 }, (_, index) => bench.record(bench.event('escalation', `many ${index}`))));
    const sent = await bench.sent();
    expect(sent).toHaveLength(4);
    await answering.handleBatch(sent.map((command) => bench.answer(command, { kind: 'ok', result: null, externalId: null })));
    await bench.sent();
    expect(sender.figures().gates.map((gate) => gate.inFlight)).toEqual([4]);
    await sender.passes.recount();
    expect(sender.figures().gates.map((gate) => gate.inFlight)).toEqual([2]);
    expect(await bench.sent()).toHaveLength(2);
  });

  it('gives up on what waits behind it max_wait after it could first have run, and never on what waits for its turn', async () => {
    await bench.chain('low_score', [stepOf('one', integration, 10, { ordering: 'subject' })]);
    const ledger = bench.ledger({ settings: { recountAfterMs: 0, maxWaitMs: 3_600_000 } });
    await bench.verbs().pause(bench.organisationId, integration);
    await ledger.handleBatch([bench.record(bench.event('low_score', 'head', {}, 'Ana')), bench.record(bench.event('low_score', 'behind', {}, 'Ana'))]);
    const waits = await bench.query(`select kind, give_up_at is not null as gives_up, give_up_at between clock_timestamp() + interval '50 minutes' and clock_timestamp() + interval '61 minutes' as is_soon from due_work order by kind`);
    expect(waits).toEqual([{ kind: 'gate', gives_up: true, is_soon: true }, { kind: 'turn', gives_up: false, is_soon: null }]);
    await bench.query(`update due_work set give_up_at = give_up_at - interval '2 hours'`);
    await ledger.passes.due();
    expect([await bench.statesOf('head'), await bench.statesOf('behind')]).toEqual([{ one: 'parked' }, { one: 'ready' }]);
  });

  it('a resumed gate lets its steps through at once, whatever the throttle had spread them over', async () => {
    const ledger = bench.ledger();
    await ledger.handleBatch([bench.record(bench.event('escalation', 'resumed'))]);
    const [command] = await bench.sent();
    if (command === undefined) throw new Error('nothing was sent');
    await ledger.handleBatch([bench.answer(command, { kind: 'throttled', untilMs: Date.now() + 3_600_000, code: '429', message: '' })]);
    await ledger.passes.gates();
    await bench.verbs().resume(bench.organisationId, integration);
    await ledger.passes.gates();
    expect((await bench.sent()).length).toBe(1);
  });
});
