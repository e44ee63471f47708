import { openBench, stepOf, type Bench } from './testing/index.js';

/** P8: the chain as it stood when the event was appended. */
describe('the plan of a run', () => {
  let bench: Bench;
  let integration: string;

  beforeAll(async () => {
    bench = await openBench();
    integration = await bench.integration();
  }, 60_000);

  afterAll(() => bench?.close(), 60_000);

  it('is the version in force at the append time, also when newer ones are known by then', async () => {
    const now = Date.now();
    await bench.chain('escalation', [stepOf('old', integration, 10)], new Date(now - 60_000));
    await bench.chain('escalation', [stepOf('new', integration, 10)], new Date(now - 10_000));
    await bench.chain('escalation', [stepOf('future', integration, 10)], new Date(now + 3_600_000));
    const ledger = bench.ledger();
    await ledger.handleBatch([
      bench.record(bench.event('escalation', 'before'), now - 90_000),
      bench.record(bench.event('escalation', 'early'), now - 10_001),
      bench.record(bench.event('escalation', 'late'), now - 10_000),
      bench.record(bench.event('escalation', 'today'), now),
    ]);
    expect(await Promise.all(['before', 'early', 'late', 'today'].map((id) => bench.statesOf(id)))).toEqual([{}, { old: 'sent' }, { new: 'sent' }, { new: 'sent' }]);
  });

  it('sees a version saved a moment ago: a list read before it is not good enough for records after it', async () => {
    const ledger = bench.ledger();
    const now = Date.now();
    await bench.chain('low_score', [stepOf('one', integration, 10)], new Date(now - 60_000));
    await ledger.handleBatch([bench.record(bench.event('low_score', 'a'), now)]);
    await bench.chain('low_score', [stepOf('two', integration, 10)], new Date(now + 1_000));
    await ledger.handleBatch([bench.record(bench.event('low_score', 'b'), now + 1_000)]);
    expect(await bench.statesOf('b')).toEqual({ two: 'sent' });
  });

  it('keeps the append time that a redriven record brings with it', async () => {
    const now = Date.now();
    const record = bench.record(bench.event('escalation', 'redriven'), now);
    await bench.ledger().handleBatch([{ ...record, headers: [...record.headers, ['tl_dead_letter', Buffer.from('letter')], ['tl_first_appended', Buffer.from(String(now - 30_000))]] }]);
    expect(await bench.statesOf('redriven')).toEqual({ old: 'sent' });
  });

  it('is of the assistant where it has a chain of its own', async () => {
    const ledger = bench.ledger();
    await bench.query(`insert into chain_versions (organisation_id, event_type, assistant_id, version, steps, valid_from) values ($1, 'escalation', 'ada', 1, $2, to_timestamp(0))`, [bench.organisationId, JSON.stringify([stepOf('hers', integration, 10)])]);
    await ledger.handleBatch([bench.record({ ...bench.event('escalation', 'ada-1'), assistantId: 'ada' }), bench.record({ ...bench.event('escalation', 'bob-1'), assistantId: 'bob' })]);
    expect([await bench.statesOf('ada-1'), await bench.statesOf('bob-1')]).toEqual([{ hers: 'sent' }, { new: 'sent' }]);
  });

  it('refuses a version whose commit comes too close to the time it is to be in force', async () => {
    const insert = `insert into chain_versions (organisation_id, event_type, version, steps, valid_from) values ($1, 'slow', 1, '[]', clock_timestamp() + interval '1 second')`;
    // Where the machine stands still between the two, the commit is late indeed: then it is tried again.
    for (let tries = 1; ; tries += 1) {
      const [{ begunAt } = { begunAt: '' }] = await bench.query<{ begunAt: string }>(`select clock_timestamp()::text as "begunAt"`);
      await bench.owner.query('begin');
      await bench.owner.query(insert, [bench.organisationId]);
      const refused: unknown = await bench.owner.query('commit').then(() => null, (error: unknown) => error);
      if (refused === null) break;
      const [{ late } = { late: false }] = await bench.query<{ late: boolean }>(`select clock_timestamp() > $1::timestamptz + interval '600 milliseconds' as late`, [begunAt]);
      if (!late || tries === 5) throw refused;
    }
    await bench.owner.query('begin');
    await bench.owner.query(insert.replace('slow', 'slower').replace('1 second', '300 milliseconds'), [bench.organisationId]);
    await expect(bench.owner.query('commit')).rejects.toMatchObject({ code: 'TL001' });
  });

  it('writes rows of this shape', async () => {
    const ledger = bench.ledger();
    await bench.chain('contact_request', [stepOf('first', integration, 10, { input: { a: 'event.data.a' } }), stepOf('second', integration, 20)]);
    await ledger.handleBatch([bench.record(bench.event('contact_request', 'shape', { a: 1 }, 'caller-9'))]);
    const [row] = await bench.query<{ steps: string; carried: Buffer; subject_hash: string; digest: string }>('select * from runs where run_id = $1', [bench.runIdOf('shape')]);
    expect(Object.keys(row ?? {}).sort().join(' ')).toBe('accepted_at carried chain_assistant_id chain_event_type chain_version digest event_type finished_at has_replays organisation_id planned_at rev root_accepted_at root_run_id run_id state steps subject_hash');
    expect(row?.steps.replaceAll(/\d{13}/g, '<ms>')).toBe('[{"id":"first","state":"sent","dispatch":1,"ready":<ms>,"first":<ms>,"before":<ms>},{"id":"second","state":"waiting"}]');
    expect(row?.carried.toString()).toBe('[["first","{\\"a\\":1}",null]]');
    expect([row?.subject_hash, row?.digest].map((hash) => hash?.length)).toEqual([32, 32]);
    const [dispatch] = await bench.query<{ items: string }>(`select items from dispatches where items like '%' || $1 || '%'`, [bench.runIdOf('shape')]);
    expect(Object.keys((JSON.parse(dispatch?.items ?? '[]') as object[])[0] ?? {})).toEqual(['o', 'r', 's', 'd', 'i', 'k', 'b', 't']);
    await bench.work([ledger]);
    const [after] = await bench.query<{ steps: string; carried: Buffer }>('select steps, carried from runs where run_id = $1', [bench.runIdOf('shape')]);
    expect(after?.steps.replaceAll(/\d{13}/g, '<ms>')).toBe('[{"id":"first","state":"done","dispatch":1,"attempts":1,"ready":<ms>,"first":<ms>,"before":<ms>,"external":"first-made","ranked":"ok"},{"id":"second","state":"done","dispatch":1,"attempts":1,"ready":<ms>,"first":<ms>,"before":<ms>,"external":"second-made","ranked":"ok"}]');
    expect(after?.carried.toString()).toBe('[["first",null,{"id":"first-made"}],["second",null,{"id":"second-made"}]]');
  });
});
