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

  describe('under a plan', () => {
    const give = (plan: string, overrides: object = {}) => bench.query(`insert into organisation_plans (organisation_id, plan, overrides) values ($1, $2, $3) on conflict (organisation_id) do update set plan = excluded.plan, overrides = excluded.overrides`, [bench.organisationId, plan, JSON.stringify(overrides)]);
    const contents = async (id: string) => (await bench.query<{ data: string; subject: string | null; carried: string; hash: string | null; expired: boolean; attempts: number }>(`select convert_from(e.data, 'UTF8') as data, e.subject, convert_from(r.carried, 'UTF8') as carried, r.subject_hash as hash, e.expired_at is not null as expired, (select count(*)::int from attempts a where a.organisation_id = r.organisation_id and a.run_id = r.run_id) as attempts from runs r join run_events e using (organisation_id, run_id) where r.run_id = $1`, [bench.runIdOf(id)]))[0];
    const ended = async (...ids: readonly string[]) => {
      const ledger = bench.ledger();
      await ledger.handleBatch(ids.map((id) => bench.record(bench.event('conversation_ended', id, { summary: `about ${id}` }, `subject of ${id}`))));
      await bench.work([ledger]);
      return ledger;
    };

    afterEach(() => bench.query('delete from organisation_plans'));

    it('takes the contents away after its days, and keeps ids, states and the memory of what was accepted', async () => {
      await give('free');
      await bench.ledger().passes.retention();
      const ledger = await ended('plan-old', 'plan-young');
      await age('plan-old', 4);
      await age('plan-young', 2);
      expect((await contents('plan-old'))?.attempts).toBeGreaterThan(0);
      expect(await ledger.passes.retention()).toBe(1);
      expect(await contents('plan-old')).toEqual({ data: '', subject: null, carried: '', hash: null, expired: true, attempts: 0 });
      expect(await contents('plan-young')).toMatchObject({ data: expect.stringContaining('about plan-young'), subject: 'subject of plan-young', expired: false, attempts: expect.any(Number) });
      expect(await bench.stateOf('plan-old')).toBe('done');
      // Once: the next clearing finds nothing.
      expect(await ledger.passes.retention()).toBe(0);
      // The same event again is known as one: no second run, no second effect.
      await ledger.handleBatch([bench.record(bench.event('conversation_ended', 'plan-old', { summary: 'about plan-old' }, 'subject of plan-old'))]);
      await bench.work([ledger]);
      expect(await contents('plan-old')).toMatchObject({ data: '', expired: true, attempts: 0 });
    });

    it('keeps longer where the plan says so, also than the operator keeps runs', async () => {
      await give('scale');
      const ledger = await ended('scale-80', 'scale-100');
      await age('scale-80', 80);
      await age('scale-100', 100);
      expect(await ledger.passes.retention()).toBe(1);
      expect([await bench.stateOf('scale-80'), await bench.stateOf('scale-100')]).toEqual(['done', undefined]);
      expect(await contents('scale-80')).toMatchObject({ data: expect.stringContaining('about scale-80'), expired: false });
      await give('scale', { retentionDays: 7 });
      expect(await ledger.passes.retention()).toBe(1);
      expect(await bench.stateOf('scale-80')).toBeUndefined();
    });

    it('refuses to replay what it keeps no longer, and takes nothing from a run whose replay is at work', async () => {
      await give('starter');
      const ledger = await ended('gone', 'replayed');
      await age('gone', 15);
      await ledger.passes.retention();
      const request = { version: 'pinned', fromStep: null, newEffects: false, dryRun: false, idempotencyKey: null } as const;
      await expect(bench.verbs().replay(bench.organisationId, bench.runIdOf('gone'), request)).rejects.toMatchObject({ code: 'run.expired' });
      await expect(bench.verbs().replay(bench.organisationId, bench.runIdOf('gone'), { ...request, newEffects: true })).rejects.toMatchObject({ code: 'run.expired' });
      await bench.verbs().replay(bench.organisationId, bench.runIdOf('replayed'), request);
      await age('replayed', 15);
      await ledger.passes.retention();
      expect(await contents('replayed')).toMatchObject({ expired: false });
      expect(await bench.verbs().showRun(bench.organisationId, bench.runIdOf('gone'))).toMatchObject({ state: 'done', event: { data: Buffer.alloc(0), expiredAtMs: expect.any(Number) }, attemptList: [] });
    });

    it('gets through more than one page, and through what has expired before', async () => {
      await give('free');
      await bench.ledger().passes.retention();
      await bench.query(
        `with made as (insert into runs (organisation_id, run_id, root_run_id, root_accepted_at, event_type, digest, accepted_at, state, steps, finished_at)
          select $1, id, id, at, 'x', 'x', at, 'done', '[]', at from (select gen_random_uuid() as id, now() - interval '5 days' + i * interval '1 microsecond' * (i % 3) as at from generate_series(1, 4500) i) m returning organisation_id, run_id)
         insert into run_events (organisation_id, run_id, type, source, event_id, data) select organisation_id, run_id, 'x', '/s', run_id::text, 'content' from made`,
        [bench.organisationId],
      );
      expect(await bench.ledger().passes.retention()).toBe(4_500);
      expect(await bench.query(`select from run_events where data = 'content'`)).toEqual([]);
      expect(await bench.ledger().passes.retention()).toBe(0);
    });

    it('tells what it took away', async () => {
      await give('free');
      await (await ended('told')).passes.retention();
      await age('told', 4);
      const told: unknown[] = [];
      await bench.query(`insert into dead_letters (organisation_id, id, class, code, message, last_at) values ($1, gen_random_uuid(), 'data', 'x', 'y', now() - interval '4 days')`, [bench.organisationId]);
      await bench.ledger({ onCleared: (cleared) => told.push(cleared) }).passes.retention();
      expect(told).toEqual([{ organisations: 1, runs: 0, expired: 1, deadLetters: 1 }]);
    });
  });

  it('drops whole days of calls, and has the days to come ready', async () => {
    await bench.query(`create table attempts_20200101 partition of attempts for values from ('2020-01-01') to ('2020-01-02')`);
    const today = new Date();
    await bench.ledger().passes.retention();
    const days = (await bench.query<{ name: string }>(`select relname as name from pg_class where relispartition and relname like 'attempts_2%' and relkind = 'r' order by 1`)).map((row) => row.name);
    const nameOf = (offset: number) => `attempts_${new Date(today.getTime() + offset * 86_400_000).toISOString().slice(0, 10).replaceAll('-', '')}`;
    expect(days).not.toContain('attempts_20200101');
    expect(days).toEqual(expect.arrayContaining([-1, 0, 1, 7].map(nameOf)));
  });

  it('is not a way to other tables: the role that calls it may create and drop nothing itself', async () => {
    await expect(bench.database.databases.system.query('drop table attempts_other')).rejects.toThrow(/must be owner/);
    await expect(bench.database.databases.tenant.query('select keep_attempt_partitions(1, 1)')).rejects.toThrow(/permission denied/);
  });
});
