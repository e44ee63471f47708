import { encodeResult, type Command } from '@trunkline/contracts';
import { openBench, stepOf, type Bench } from './testing/index.js';

/** One bad record in a batch: it becomes a dead letter with its bytes, and its neighbours do not notice (delivery §4, P7). */
describe('a poisoned record', () => {
  let bench: Bench;
  let integration: string;

  beforeAll(async () => {
    bench = await openBench();
    integration = await bench.integration();
    await bench.chain('conversation_ended', [stepOf('one', integration, 10, { input: { who: 'event.data.who' } })]);
  }, 60_000);

  afterAll(() => bench?.close(), 60_000);

  const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
  const bodies: readonly [string, Buffer, boolean][] = [
    ['an escaped NUL', Buffer.from('{"conversation_id":"c","who":"a\\u0000b"}'), true],
    ['a lone surrogate', Buffer.from('{"conversation_id":"c","who":"\\ud800"}'), true],
    ['1e999', Buffer.from('{"conversation_id":"c","who":1e999}'), true],
    ['a 400-digit integer', Buffer.from(`{"conversation_id":"c","who":${'9'.repeat(400)}}`), true],
    ['bytes that are not UTF-8', Buffer.concat([Buffer.from('{"conversation_id":"c","who":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]), true],
    ['__proto__ keys', Buffer.from('{"conversation_id":"c","who":"x","__proto__":{"polluted":true}}'), true],
    ['20,000-deep JSON', Buffer.from(deep), false],
    ['no JSON', Buffer.from('{"who":'), false],
    ['data without what its type requires', Buffer.from('{"who":"x"}'), false],
  ];

  it.each(bodies)('%s in an event: kept byte for byte, run or dead letter', async (name, data, isTaken) => {
    const ledger = bench.ledger();
    const neighbours = ['before', 'after'].map((side) => bench.record(bench.event('conversation_ended', `${name} ${side}`, { who: side })));
    const record = { ...bench.record(bench.event('conversation_ended', name)), value: data };
    await ledger.handleBatch([neighbours[0] ?? record, record, neighbours[1] ?? record]);
    await bench.work([ledger]);
    expect(await Promise.all([`${name} before`, `${name} after`].map((id) => bench.stateOf(id)))).toEqual(['done', 'done']);
    const kept = isTaken
      ? await bench.query<{ data: Buffer }>('select data from run_events where run_id = $1', [bench.runIdOf(name)])
      : await bench.query<{ data: Buffer }>('select record_value as data from dead_letters where record_offset = $1', [String(record.offset)]);
    expect(kept.map((row) => row.data.equals(data))).toEqual([true]);
    if (isTaken) expect(await bench.stateOf(name)).toBe('done');
  });

  it('a 9 KB subject is refused before it reaches the database', async () => {
    await bench.ledger().handleBatch([bench.record(bench.event('conversation_ended', 'long', {}, 'x'.repeat(9_000)))]);
    expect(await bench.stateOf('long')).toBeUndefined();
    expect(await bench.query(`select code from dead_letters where code = 'event.unreadable' and message like '%subject%'::bytea`)).toHaveLength(1);
  });

  it.each([['a NUL', 'request\u0000id'], ['half a surrogate', '\ud800']])('%s in a result that the database refuses is bisected out of a full batch', async (name, providerRequestId) => {
    const ledger = bench.ledger();
    const ids = Array.from({ length: 33 }, (_, index) => `${name} ${index}`);
    const sent: Command[] = [];
    for (const id of ids) {
      await bench.ledger().handleBatch([bench.record(bench.event('conversation_ended', id, { who: id }))]);
      sent.push(...(await bench.sent()));
    }
    const victim = sent[17];
    const answers = sent.map((command) => bench.answer(command, { kind: 'ok', result: { ok: true }, externalId: null }, command === victim ? { startedAtMs: 1, durationMs: 1, httpStatus: 200, providerRequestId, method: 'POST', path: '/' } : null));
    await ledger.handleBatch(answers);
    expect(await bench.query(`select state, count(*)::int as count from runs where run_id = any ($1::uuid[]) group by 1 order by 1`, [ids.map((id) => bench.runIdOf(id))])).toEqual([{ state: 'done', count: 32 }, { state: 'running', count: 1 }]);
    const letters = await bench.query<{ code: string; record_value: Buffer }>('select code, record_value from dead_letters where run_id = $1', [victim?.runId]);
    expect(letters.map((letter) => [letter.code, letter.record_value.equals(answers[17]?.value ?? Buffer.alloc(0))])).toEqual([[expect.stringMatching(/^ledger\.record_failed\.22/), true]]);
  });

  it('an unreadable result is kept raw, and one without a run too', async () => {
    const unreadable = bench.raw('results', { value: Buffer.from('not json\u0000'), headers: [['a', Buffer.from([0, 255])], ['a', Buffer.from('two')]] });
    const stray = bench.raw('results', encodeResult({ schema: 1, organisationId: bench.organisationId, runId: bench.runIdOf('nowhere'), stepId: 'one', dispatch: 1, integrationId: integration, answer: { kind: 'outcome', outcome: { kind: 'expired' } }, call: null, worker: 'w' }));
    const nobody = bench.raw('results', { value: Buffer.from(stray.value?.toString().replaceAll(bench.organisationId, '-'.repeat(36)) ?? '') });
    await bench.ledger().handleBatch([unreadable, stray, nobody]);
    const codes = await bench.query<{ code: string }>('select code from dead_letters where record_offset = any ($1::bigint[]) order by record_offset', [[unreadable, stray, nobody].map((record) => String(record.offset))]);
    expect(codes.map((row) => row.code)).toEqual(['result.unreadable', 'result.run_unknown', 'result.unreadable']);
    const [letter] = await bench.query<{ record_headers: Buffer }>('select record_headers from dead_letters where record_offset = $1', [String(unreadable.offset)]);
    expect(letter?.record_headers.includes(Buffer.from([0, 255]))).toBe(true);
  });

  it('what workers put on dead-letters is stored, never read, for operators when no organisation can be seen', async () => {
    const record = bench.raw('dead-letters', { key: Buffer.from('k'), value: Buffer.from([0, 1, 2]), headers: [['x-dlq-code', Buffer.from('command.unreadable')], ['x-dlq-reason', Buffer.from('header\u0000missing')]] });
    await bench.ledger().handleBatch([record, record]);
    const rows = await bench.query<{ organisation_id: string; code: string; record_value: Buffer; times: number }>('select organisation_id, code, record_value, times from dead_letters where record_offset = $1', [String(record.offset)]);
    expect(rows).toEqual([{ organisation_id: '00000000-0000-0000-0000-000000000000', code: 'command.unreadable', record_value: Buffer.from([0, 1, 2]), times: 1 }]);
  });

  describe('a statement that fails for a passing reason', () => {
    const failing = async (sqlState: string, times: number): Promise<void> => {
      await bench.query('create sequence if not exists bench_failures');
      await bench.query('alter sequence bench_failures restart');
      await bench.query(`create or replace function bench_fail() returns trigger language plpgsql security definer as $$ begin
        if nextval('bench_failures') <= ${times} then raise exception 'bench' using errcode = '${sqlState}'; end if; return new; end $$`);
      await bench.query('drop trigger if exists bench on runs');
      await bench.query('create trigger bench before insert on runs for each row execute function bench_fail()');
    };

    afterEach(() => bench.query('drop trigger if exists bench on runs'));

    it.each(['40P01', '40001'])('%s repeats the flush', async (sqlState) => {
      await failing(sqlState, 3);
      await bench.ledger().handleBatch([bench.record(bench.event('conversation_ended', `repeated ${sqlState}`, { who: 'x' }))]);
      expect(await bench.stateOf(`repeated ${sqlState}`)).toBe('running');
    });

    it.each(['55P03', '53200', '57014', '58030', '08006'])('%s hands the batch back, and nobody is a dead letter', async (sqlState) => {
      await failing(sqlState, 1_000);
      const record = bench.record(bench.event('conversation_ended', `later ${sqlState}`, { who: 'x' }));
      const ledger = bench.ledger();
      await expect(ledger.handleBatch([record])).rejects.toThrow();
      expect(await bench.query('select 1 from dead_letters where record_offset = $1', [String(record.offset)])).toEqual([]);
      await bench.query('drop trigger bench on runs');
      await ledger.handleBatch([record]);
      expect(await bench.stateOf(`later ${sqlState}`)).toBe('running');
      expect(ledger.figures().gates.map((gate) => gate.inFlight)).toEqual([1]);
    });

    it('a database that is away hands the batch back', async () => {
      const record = bench.record(bench.event('conversation_ended', 'away', { who: 'x' }));
      const refusing = { connect: () => Promise.reject(Object.assign(new Error('too many'), { code: '53300' })), query: bench.database.databases.system.query.bind(bench.database.databases.system) };
      const ledger = bench.ledger({ databases: { system: refusing as unknown as typeof bench.database.databases.system } });
      await expect(ledger.handleBatch([record])).rejects.toMatchObject({ code: 'storage.unavailable' });
      expect(await bench.stateOf('away')).toBeUndefined();
    });
  });
});
