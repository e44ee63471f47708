import { topics } from '@trunkline/contracts';
import { rememberedDays } from '@trunkline/custody';
import { createEventLog, createPostgresDriver, kafkaSegmentMs } from '@trunkline/event-log';
import { openTestDatabase, type TestDatabase } from '@trunkline/storage/testing';
import type { Client } from 'pg';
import { until } from '../support/until.js';

jest.setTimeout(60_000);
const day = 86_400_000;

/** Departures have to be remembered for longer. What brokers take for themselves: `log.retention.check.interval.ms` and `file.delete.delay.ms` (Apache Kafka documentation, broker and topic configs; read 2026-11-21). */
describe('who has left', () => {
  it('is remembered for longer than a record lies in any topic, with an hour to spare', () => {
    const [checkIntervalMs, deleteDelayMs] = [300_000, 60_000];
    const longestMs = Math.max(...topics.map(({ retentionMs }) => retentionMs)) + kafkaSegmentMs + checkIntervalMs + deleteDelayMs;
    expect(longestMs).toBe(7 * day + 6 * 3_600_000 + 6 * 60_000);
    expect(rememberedDays * day).toBeGreaterThan(longestMs + 3_600_000);
  });
});

/** What SECURITY.md says of events that outlive their organisation, for the log in PostgreSQL. */
describe('a topic of seven days', () => {
  let database: TestDatabase;
  let owner: Client;
  beforeAll(async () => {
    database = await openTestDatabase();
    owner = await database.owner();
  });
  afterAll(() => database?.close());
  const kept = async (): Promise<number> => (await owner.query('select from event_log.records')).rowCount ?? 0;

  it('has nothing left on the eighth day, unless a group has stopped without reading it: then once that group has been retired', async () => {
    const driver = createPostgresDriver({ pool: database.databases.log });
    const log = createEventLog(driver);
    await log.ensureTopics([{ name: 'events.expiring', partitions: 1, retentionMs: 7 * day }]);
    await log.append('events.expiring', [{ key: Buffer.from('k'), value: Buffer.from('personal'), headers: [] }]);
    const readers = new Set<string>();
    const read = await log.consume({ mode: 'batch', group: 'reads', topics: ['events.expiring'], maxRecords: 10, handleBatch: async (records) => records.map(() => (readers.add('reads'), { kind: 'done' })) });
    const stopped = await log.consume({ mode: 'batch', group: 'stops', topics: ['events.expiring'], maxRecords: 10, handleBatch: () => (readers.add('stops'), new Promise(() => undefined)) });
    await until('both having been given it', () => readers.size === 2);
    await Promise.all([read.stop(5_000), stopped.stop(0)]);

    await driver.enforceRetention(Date.now() + 6 * day);
    expect(await kept()).toBe(1);
    await driver.enforceRetention(Date.now() + 30 * day);
    expect(await kept()).toBe(1);
    // As docs/operations.md says.
    await owner.query(`update event_log.groups set retired_at = now() where group_name = 'stops'`);
    await driver.enforceRetention(Date.now() + 6 * day);
    expect(await kept()).toBe(1);
    await driver.enforceRetention(Date.now() + 8 * day);
    expect(await kept()).toBe(0);
    await log.close();
  });
});
