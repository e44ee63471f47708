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

  afterAll(() => bench?.close());

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
