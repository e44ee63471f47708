import { openBench, stepOf, type Bench } from './testing/index.js';

/** What is kept, and for how long (delivery §3: an id stands as long as its run is kept). */
describe('the nightly clearing', () => {
  let bench: Bench;

  beforeAll(async () => {
    bench = await openBench();
    await bench.query(`insert into api_keys (organisation_id, key_id, name, prefix, scopes) values ($1, 'k', 'k', 'tl_k', '{}')`, [bench.organisationId]);
    await bench.query(`insert into api_key_index (key_id, sha256, organisation_id) values ('k', decode(repeat('00', 32), 'hex'), $1)`, [bench.organisationId]);
    await bench.chain('conversation_ended', [stepOf('one', await bench.integration(), 10, { ordering: 'subject' })]);
  }, 60_000);

  afterAll(() => bench?.close(), 60_000);

  const age = (id: string, days: number) => bench.query(`update runs set accepted_at = accepted_at - make_interval(days => $2), finished_at = finished_at - make_interval(days => $2) where run_id = $1`, [bench.runIdOf(id), days]);

  it('removes ended runs past their time with everything of theirs, and no others', async () => {
    const ledger = bench.ledger();
    await ledger.handleBatch(['old', 'young'].map((id) => bench.record(bench.event('conversation_ended', id, {}, id))));
    await bench.work([ledger]);
    await ledger.handleBatch([bench.record(bench.event('conversation_ended', 'unended', {}, 'other'))]);
    await age('old', 31);
    await age('young', 29);
    await age('unended', 400);
    expect(await ledger.passes.retention()).toBe(1);
    expect(await Promise.all(['old', 'young', 'unended'].map((id) => bench.stateOf(id)))).toEqual([undefined, 'done', 'running']);
    for (const table of ['run_events', 'attempts', 'subject_holders']) expect({ table, rows: await bench.query(`select 1 from ${table} where run_id = $1`, [bench.runIdOf('old')]) }).toEqual({ table, rows: [] });
    expect(await bench.query('select 1 from run_events')).toHaveLength(2);
  });

  it('lets a purged id be used again', async () => {
    const ledger = bench.ledger();
    await ledger.handleBatch([bench.record(bench.event('conversation_ended', 'old', { other: true }, 'old'))]);
    await bench.work([ledger]);
    expect(await bench.stateOf('old')).toBe('done');
  });

  it('drops whole days of calls, and has the days to come ready', async () => {
    await bench.query(`create table attempts_20200101 partition of attempts for values from ('2020-01-01') to ('2020-01-02')`);
    await bench.ledger().passes.retention();
    const days = (await bench.query<{ name: string }>(`select relname as name from pg_class where relispartition and relname like 'attempts_2%' and relkind = 'r' order by 1`)).map((row) => row.name);
    const today = new Date();
    const nameOf = (offset: number) => `attempts_${new Date(today.getTime() + offset * 86_400_000).toISOString().slice(0, 10).replaceAll('-', '')}`;
    expect(days).not.toContain('attempts_20200101');
    expect(days).toEqual(expect.arrayContaining([-1, 0, 1, 7].map(nameOf)));
  });

  it('is not a way to other tables: the role that calls it may create and drop nothing itself', async () => {
    await expect(bench.database.databases.system.query('drop table attempts_other')).rejects.toThrow(/must be owner/);
    await expect(bench.database.databases.tenant.query('select keep_attempt_partitions(1, 1)')).rejects.toThrow(/permission denied/);
  });
});
