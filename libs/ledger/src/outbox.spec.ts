import type { EventLog } from '@trunkline/event-log';
import { openBench, stepOf, type Bench } from './testing/index.js';

/** Commands are sent after the commit; a crash in between is made up for by any instance (P1, P5). */
describe('the outbox', () => {
  let bench: Bench;

  beforeAll(async () => {
    bench = await openBench();
    const integration = await bench.integration();
    await bench.chain('conversation_ended', [stepOf('one', integration, 10, { input: { who: 'event.data.who' } })]);
  }, 60_000);

  afterAll(() => bench?.close(), 60_000);

  /** A process that dies between commit and send: its append never comes back. */
  const dying: Pick<EventLog, 'append' | 'lag' | 'clockOffsetMs' | 'driver'> = { driver: 'postgres', append: () => new Promise(() => undefined), lag: async () => [], clockOffsetMs: () => null };
  const aWhileAgo = () => bench.query(`update dispatches set created_at = created_at - interval '10 minutes', leased_until = null`);

  it('sends what a dead instance left, from the stored input, to the byte', async () => {
    await bench.ledger({ eventLog: dying }).handleBatch([bench.record(bench.event('conversation_ended', 'left', { who: 'Ana' }))]);
    // Long enough for a machine that stands still meanwhile.
    const other = bench.ledger({ settings: { recountAfterMs: 0, resendAfterMs: 300_000 } });
    expect(await other.passes.outbox()).toBe(0);
    await aWhileAgo();
    expect(await other.passes.outbox()).toBe(1);
    const [command] = await bench.sent();
    expect(command).toMatchObject({ runId: bench.runIdOf('left'), stepId: 'one', dispatch: 1, kind: 'execute' });
    expect(command?.input.toString()).toBe('{"who":"Ana"}');
    await aWhileAgo();
    expect(await other.passes.outbox()).toBe(0);
  });

  it('is leased by one instance only', async () => {
    await bench.ledger({ eventLog: dying }).handleBatch([bench.record(bench.event('conversation_ended', 'contested', { who: 'Bo' }))]);
    await aWhileAgo();
    const [one, two] = [bench.ledger(), bench.ledger()];
    const taken = await Promise.all([one.passes.outbox(), two.passes.outbox()]);
    expect(taken.sort()).toEqual([0, 1]);
    await bench.sent();
  });

  it('does not send what has been answered, nor what is past its time', async () => {
    const ledger = bench.ledger({ eventLog: dying });
    await ledger.handleBatch([bench.record(bench.event('conversation_ended', 'late', { who: 'Cy' }))]);
    await bench.query(`update dispatches set items = regexp_replace(items, '"b":\\d+', '"b":1000') where sent_at is null`);
    await aWhileAgo();
    expect(await bench.ledger().passes.outbox()).toBe(0);
    expect(await bench.sent()).toEqual([]);
  });

  it('marks as sent what the next flush finds sent, or an idle pass', async () => {
    const ledger = bench.ledger();
    await ledger.handleBatch([bench.record(bench.event('conversation_ended', 'marked', { who: 'Di' }))]);
    await bench.sent();
    const unsent = () => bench.query<{ count: number }>(`select count(*)::int as count from dispatches where sent_at is null and items like '%' || $1 || '%'`, [bench.runIdOf('marked')]);
    expect(await unsent()).toEqual([{ count: 1 }]);
    await ledger.passes.outbox();
    expect(await unsent()).toEqual([{ count: 0 }]);
  });

  it('keeps the dispatch unsent when the log refuses, and sends it later', async () => {
    const reports: string[] = [];
    const refusing = { ...dying, append: () => Promise.reject(new Error('no broker')) };
    const ledger = bench.ledger({ eventLog: refusing, report: (error) => reports.push(String(error)) });
    await ledger.handleBatch([bench.record(bench.event('conversation_ended', 'refused', { who: 'Ed' }))]);
    await bench.sent();
    expect(reports).toEqual(['Error: no broker']);
    // Its own passes and flushes must not take it for sent either.
    await ledger.passes.outbox();
    await ledger.handleBatch([bench.record(bench.event('escalation', 'no chain'))]);
    expect(await bench.query(`select sent_at from dispatches where items like '%' || $1 || '%'`, [bench.runIdOf('refused')])).toEqual([{ sent_at: null }]);
    await aWhileAgo();
    expect(await bench.ledger().passes.outbox()).toBe(1);
  });
});
