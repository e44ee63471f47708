import type { StoredRecord } from '@trunkline/event-log';
import type { Command } from '@trunkline/contracts';
import { openBench, stepOf, type Bench } from './testing/index.js';

/** Correctness never rests on partition ownership (delivery §4). */
describe('two ledgers on one database', () => {
  let bench: Bench;
  let integration: string;

  beforeAll(async () => {
    bench = await openBench();
    integration = await bench.integration();
  }, 60_000);

  afterAll(() => bench?.close(), 60_000);

  it('take two results of one run at the same moment, of steps with equal priority, and lose neither', async () => {
    const ledgers = [bench.ledger(), bench.ledger()] as const;
    await bench.chain('escalation', [stepOf('left', integration, 10), stepOf('right', integration, 10), stepOf('after', integration, 20)]);
    const ids = Array.from({ length: 40 }, (_, index) => `pair-${index}`);
    const sent: Command[] = [];
    for (const id of ids) {
      await bench.ledger().handleBatch([bench.record(bench.event('escalation', id))]);
      sent.push(...(await bench.sent()));
    }
    const answers = sent.map((command) => bench.answer(command, { kind: 'ok', result: null, externalId: null }));
    const of = (side: string): StoredRecord[] => answers.filter((_, index) => sent[index]?.stepId === side);
    // Both read the run before either has written it: what one of them writes the other must decide anew.
    await Promise.all(of('left').flatMap((left, index) => [ledgers[0].handleBatch([left]), ledgers[1].handleBatch([of('right')[index] ?? left])]));
    const last = await bench.work(ledgers);
    expect(last.map((command) => command.stepId)).toEqual(ids.map(() => 'after'));
    expect(await bench.query(`select state, count(*)::int as count from runs where event_type = 'escalation' group by 1`)).toEqual([{ state: 'done', count: 40 }]);
    expect(await bench.query(`select count(*)::int as count from attempts`)).toEqual([{ count: 120 }]);
  }, 60_000);

  it('do not hand back a batch whose last repeat has taken everything', async () => {
    await bench.chain('low_score', [stepOf('left', integration, 10), stepOf('right', integration, 10)]);
    const [ledger, other] = [bench.ledger({ settings: { recountAfterMs: 0, conflictRepeats: 0 } }), bench.ledger()];
    await ledger.handleBatch([bench.record(bench.event('low_score', 'contended'))]);
    const [left, right] = (await bench.sent()).map((command) => bench.answer(command, { kind: 'ok', result: null, externalId: null }));
    if (left === undefined || right === undefined) throw new Error('not both were sent');
    await other.handleBatch([left]);
    await ledger.handleBatch([right]);
    expect(await bench.stateOf('contended')).toBe('done');
  });

  it('take records dealt to them at random, some twice, and bring every run to its end with each command sent once', async () => {
    const ledgers = [bench.ledger(), bench.ledger()] as const;
    await bench.sent();
    await bench.chain('conversation_ended', [stepOf('one', integration, 10), stepOf('two', integration, 20), stepOf('three', integration, 30, { ordering: 'subject' })]);
    let seed = 42;
    const random = (): number => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648;
    let waiting: StoredRecord[] = Array.from({ length: 120 }, (_, index) => bench.record(bench.event('conversation_ended', `dealt-${index}`, { index }, `subject-${index % 7}`)));
    const commands: string[] = [];
    for (let round = 0; round < 400; round += 1) {
      const hands: [StoredRecord[], StoredRecord[]] = [[], []];
      for (const record of waiting) {
        hands[random() < 0.5 ? 0 : 1].push(record);
        if (random() < 0.2) hands[random() < 0.5 ? 0 : 1].push(record);
      }
      await Promise.all(ledgers.map((ledger, index) => ledger.handleBatch(hands[index] ?? [])));
      await Promise.all(ledgers.map((ledger) => ledger.passes.recount()));
      await Promise.all(ledgers.map((ledger) => ledger.passes.due()));
      await Promise.all(ledgers.map((ledger) => ledger.passes.gates()));
      const sent = await bench.sent();
      commands.push(...sent.map((command) => `${command.runId} ${command.stepId} ${command.dispatch}`));
      waiting = sent.map((command) => bench.answer(command, { kind: 'ok', result: null, externalId: null }));
      const [{ open } = { open: 1 }] = await bench.query<{ open: number }>(`select count(*)::int as open from runs where event_type = 'conversation_ended' and state <> 'done'`);
      if (open === 0 && waiting.length === 0) break;
    }
    expect(await bench.query(`select state, count(*)::int as count from runs where event_type = 'conversation_ended' group by 1`)).toEqual([{ state: 'done', count: 120 }]);
    expect(commands).toHaveLength(360);
    expect(new Set(commands).size).toBe(360);
    expect(await bench.query('select * from subject_holders')).toEqual([]);
    expect(await bench.query('select * from due_work')).toEqual([]);
    expect(await bench.query('select * from dead_letters')).toEqual([]);
  }, 120_000);
});
