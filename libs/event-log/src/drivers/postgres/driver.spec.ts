import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { createEventLog } from '../../event-log.js';
import type { EventLog, StoredRecord } from '../../port.js';
import { engineCases } from '../../testing/cases/engine.js';
import { memberCases } from '../../testing/cases/members.js';
import type { Case } from '../../testing/cases/case.js';
import { runCase } from '../../testing/conformance.js';
import { Lab, record, textOf } from '../../testing/lab.js';
import { startPostgresHarness, type PostgresHarness } from '../../testing/postgres-harness.js';
import { createPostgresDriver } from './driver.js';
import { readSql } from './reader.js';

let harness: PostgresHarness;
let lab: Lab;
beforeAll(async () => {
  harness = await startPostgresHarness();
}, 60_000);
beforeEach(() => {
  lab = new Lab(harness, null);
});
afterEach(() => lab.close());
afterAll(() => harness?.close());

const numbered = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => record(`key-${index % 8}`, String(from + index)));

/** Reads with a group until as many different records came, those counted that it had read before: what was not committed comes again. */
async function read(log: EventLog, topics: readonly string[], group: string, count: number, before: readonly string[] = []): Promise<StoredRecord[]> {
  const seen: StoredRecord[] = [];
  const different = (): number => new Set([...before, ...seen.map(textOf)]).size;
  const consumption = await log.consume({ mode: 'batch', group, topics, maxRecords: 5, handleBatch: async (records) => records.map((stored) => (seen.push(stored), { kind: 'done' })) });
  await lab.eventually(() => different() >= count, () => `${different()} of ${count} came; ${consumption.health().reason}`);
  await consumption.stop(5_000);
  return seen;
}

/** The next appends fall into the next hour. */
async function startNextHour(): Promise<void> {
  await harness.pool.query('SELECT event_log.ensure_hours((SELECT max(hour) FROM event_log.hours), (SELECT max(hour) + 1 FROM event_log.hours))');
  await harness.pool.query(`WITH moved AS (UPDATE event_log.partitions SET hour = hour + 1 WHERE hour > 0 RETURNING *)
    INSERT INTO event_log.segments SELECT topic_id, partition, hour, next_offset, bytes FROM moved`);
}

describe('the postgres log', () => {
  it('reads on across hours, and drops an hour once every live group has read it', async () => {
    const log = await lab.log();
    const topic = await lab.topic(log);
    await log.append(topic, numbered(0, 20));
    await startNextHour();
    await log.append(topic, numbered(20, 40));
    await startNextHour();
    await log.append(topic, numbered(40, 60));
    const [early, late] = [lab.name('early'), lab.name('late')];
    expect(await read(log, [topic], early, 60)).toHaveLength(60);

    const partOfIt: string[] = [];
    const slow = await log.consume({ mode: 'batch', group: late, topics: [topic], maxRecords: 5, handleBatch: async (records) => (partOfIt.length >= 25 ? new Promise(() => undefined) : records.map((stored) => (partOfIt.push(textOf(stored)), { kind: 'done' }))) });
    await lab.eventually(() => partOfIt.length >= 25, () => `${partOfIt.length} read`);
    await slow.stop(200);
    await harness.applyRetention([early, late]);
    const rest = await read(log, [topic], late, 60, partOfIt);
    expect(new Set([...partOfIt, ...rest.map(textOf)]).size).toBe(60);

    await harness.applyRetention([early, late]);
    expect((await log.topics()).find((figures) => figures.topic === topic)).toMatchObject({ records: 0n, bytes: 0n });
    const positions = await log.append(topic, numbered(60, 68));
    expect(Math.min(...positions.map(({ offset }) => Number(offset)))).toBeGreaterThan(0);
    expect((await read(log, [topic], late, 8)).map(textOf).sort()).toEqual(numbered(60, 68).map(({ value }) => String(value)).sort());
  }, 60_000);

  it('lets a group change its topics once the members with the old list have left; offsets of what stays are kept', async () => {
    const [old, next] = [await lab.log(), await lab.log()];
    const [kept, dropped, added] = [await lab.topic(old), await lab.topic(old), await lab.topic(old)];
    const group = lab.name('group');
    await old.append(kept, numbered(0, 10));
    await old.append(added, numbered(0, 10));
    const handled: string[] = [];
    const first = await old.consume({ mode: 'batch', group, topics: [kept, dropped], maxRecords: 100, handleBatch: async (records) => records.map((stored) => (handled.push(textOf(stored)), { kind: 'done' })) });
    await lab.eventually(() => handled.length === 10, () => `${handled.length} of 10`);
    const seen: StoredRecord[] = [];
    const second = await next.consume({ mode: 'batch', group, topics: [added, kept], maxRecords: 100, handleBatch: async (records) => records.map((stored) => (seen.push(stored), { kind: 'done' })) });
    expect(second.health()).toMatchObject({ ready: false, reason: expect.stringContaining('another list of topics') });
    await first.stop(5_000);
    await lab.eventually(() => seen.length === 10 && second.health().ready, () => `${seen.length} of 10; ${second.health().reason}`);
    expect(new Set(seen.map((stored) => stored.topic))).toEqual(new Set([added]));
    expect(new Set((await next.lag(group)).map((lag) => lag.topic))).toEqual(new Set([kept, added]));
  }, 60_000);

  it('works as role app_log, which cannot change the tables', async () => {
    await harness.pool.query(`CREATE ROLE app_log LOGIN PASSWORD 'only-here'`);
    const { eventLogMigrations } = await import('./migrations.js');
    await harness.pool.query(eventLogMigrations.find(({ name }) => name === 'event-log-0003-grants')?.sql ?? '');
    const url = new URL(harness.url);
    url.username = 'app_log';
    url.password = 'only-here';
    const pool = new pg.Pool({ connectionString: url.href, max: 4 });
    const driver = createPostgresDriver({ pool, listenConnectionString: url.href });
    const log = createEventLog(driver);
    const topic = await lab.topic(log);
    await log.append(topic, numbered(0, 5));
    expect(await read(log, [topic], lab.name('group'), 5)).toHaveLength(5);
    await driver.enforceRetention();
    await expect(pool.query('DROP TABLE event_log.records')).rejects.toMatchObject({ code: '42501' });
    await log.close();
    await pool.end();
  }, 60_000);

  it('reads by index from the first record of an hour on, and leaves older hours out', async () => {
    const log = await lab.log();
    const topic = await lab.topic(log);
    const planAfter = async (count: number): Promise<string> => {
      await log.append(topic, numbered(0, count));
      const hours = await harness.pool.query<{ hour: number }>('SELECT max(hour) AS hour FROM event_log.partitions JOIN event_log.topics USING (topic_id) WHERE name = $1', [topic]);
      const hour = hours.rows[0]?.hour ?? 0;
      const { rows } = await harness.pool.query<{ 'QUERY PLAN': string }>(`EXPLAIN (GENERIC_PLAN) ${readSql(hour)}`);
      const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
      expect(plan).not.toContain(`records_${hour - 1}`);
      return plan;
    };
    for (const count of [1, 10, 2_000]) {
      const plan = await planAfter(count);
      expect(plan).toMatch(/Index Scan/);
      expect(plan).not.toMatch(/Seq Scan on records/);
    }
  });

  it('refuses a topic that exists with fewer partitions, and an append to one that does not exist', async () => {
    const log = await lab.log();
    const topic = await lab.topic(log, 4);
    await expect(log.ensureTopics([{ name: topic, partitions: 5, retentionMs: 1_000 }])).rejects.toMatchObject({ code: 'event_log.topic_mismatch' });
    await expect(log.append('no-such-topic', numbered(0, 1))).rejects.toMatchObject({ code: 'event_log.topic_missing' });
    await expect(log.append(topic, [{ key: null, value: 'text' as unknown as Buffer, headers: [] }])).rejects.toMatchObject({ code: 'event_log.record_invalid' });
    await expect(log.append(topic, [{ key: null, value: Buffer.alloc(17 * 1024 * 1024), headers: [] }])).rejects.toMatchObject({ code: 'event_log.record_too_large' });
  });

  it('answers appends made at once in the order of their records, each with its own positions', async () => {
    const log = await lab.log();
    const topic = await lab.topic(log);
    const all = await Promise.all(Array.from({ length: 50 }, (_, call) => log.append(topic, [record(`key-${call % 5}`, `${call}a`), record('same', `${call}b`)])));
    const seen = await read(log, [topic], lab.name('group'), 100);
    all.forEach((positions, call) => {
      positions.forEach(({ partition, offset }, index) => {
        const found = seen.find((stored) => stored.partition === partition && stored.offset === offset);
        expect(found && textOf(found)).toBe(`${call}${index === 0 ? 'a' : 'b'}`);
      });
    });
  });
});

describe('the conformance suite finds out', () => {
  const theCase = (cases: readonly Case[], words: string): Case => {
    const found = cases.find(({ promise }) => promise.includes(words));
    if (found === undefined) throw new Error(`no case about ${words}`);
    return found;
  };

  it('offsets from a sequence: a reader passes one that is not committed yet', async () => {
    await harness.pool.query(`
      CREATE SEQUENCE event_log.wrong_offsets;
      CREATE FUNCTION event_log.wrong_append(p_topic int[], p_partition int[], p_count int[], p_bytes bigint[], p_group int[], p_index int[], p_start int[], p_key int[], p_headers int[], p_value int[], p_blob bytea)
      RETURNS TABLE (base_offset bigint, appended_at_ms bigint) LANGUAGE plpgsql AS $$
      DECLARE v_hour int := floor(extract(epoch FROM clock_timestamp()) / 3600); v_offset bigint := nextval('event_log.wrong_offsets');
      BEGIN
        PERFORM event_log.ensure_hours(v_hour, v_hour);
        INSERT INTO event_log.records (topic_id, partition, "offset", hour, appended_at_ms, key, headers, value) SELECT p_topic[1], p_partition[1], v_offset, v_hour, floor(extract(epoch FROM clock_timestamp()) * 1000),
          substring(p_blob FOR p_key[1]), substring(p_blob FROM p_key[1] + 1 FOR p_headers[1]), substring(p_blob FROM p_key[1] + p_headers[1] + 1 FOR p_value[1]);
        RETURN QUERY SELECT v_offset, 0::bigint;
      END $$`);
    const wrong = { ...harness, writeRudely: harness.writingWith('event_log.wrong_append'), hasGaplessOffsets: false };
    await expect(runCase(theCase(engineCases, 'eight writers'), wrong, null)).rejects.toThrow(/missing (.*,)?late:0/);
  }, 60_000);

  it('commits that ask for no epoch: a frozen member moves the group back', async () => {
    const module = fileURLToPath(new URL('../../../dist/testing/postgres-unfenced-entry.js', import.meta.url));
    const wrong = { ...harness, child: { module, argument: harness.url } };
    await expect(runCase(theCase(memberCases, 'frozen'), wrong, null)).rejects.toThrow('the commit of the frozen member: stored');
  }, 60_000);
});
