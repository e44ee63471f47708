import { randomUUID } from 'node:crypto';
import { openTestDatabase } from '@trunkline/storage/testing';
import type { TestDatabase } from '@trunkline/storage/testing';
import { Client } from 'pg';
import { readConfig } from './config.js';
import { eventLogSchema, listenAddress, openEventLog } from './open-event-log.js';

describe('the event log an app opens', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openTestDatabase();
  }, 60_000);
  afterAll(() => database?.close());

  it('warns of what it tries again: a consumer that rejects is not silent', async () => {
    const warnings: { readonly facts: Readonly<Record<string, unknown>> }[] = [];
    const logger = { warn: (facts: Readonly<Record<string, unknown>>) => warnings.push({ facts }) };
    const log = openEventLog('spec', { databaseUrl: database.url, kafkaBrokers: [] }, { databases: database.databases, logger: logger as never });
    try {
      await log.ensureTopics([{ name: 'results', partitions: 1, retentionMs: 3_600_000 }]);
      const group = `spec-${randomUUID()}`;
      const done = Promise.withResolvers<void>();
      await log.consume({
        mode: 'batch',
        group,
        topics: ['results'],
        maxRecords: 10,
        handleBatch: async (records) => {
          if (warnings.length === 0) throw new Error('the tables are gone');
          done.resolve();
          return records.map(() => ({ kind: 'done' }));
        },
      });
      await log.append('results', [{ key: null, value: Buffer.from('1'), headers: [] }]);
      await done.promise;
      expect(warnings[0]?.facts).toMatchObject({ err: { message: 'the tables are gone' }, group, records: 1, topic: 'results', partition: 0, offset: '0' });
    } finally {
      await log.close();
    }
  }, 30_000);

  it('reaches Kafka through the client that KAFKA_CLIENT names, and refuses one it does not have', () => {
    const environment = { DATABASE_URL: database.url, KAFKA_BROKERS: '127.0.0.1:9' };
    expect(readConfig(eventLogSchema, { ...environment, KAFKA_CLIENT: 'platformatic' })).toMatchObject({ kafkaClient: 'platformatic' });
    expect(readConfig(eventLogSchema, environment).kafkaClient).toBeUndefined();
    expect(() => readConfig(eventLogSchema, { ...environment, KAFKA_CLIENT: 'librdkafka' })).toThrow(/KAFKA_CLIENT .*must be one of kafkajs, platformatic/);
  });

  it('refuses a name for static members where the client has none', () => {
    process.env['KAFKA_INSTANCE_ID'] = 'ledger-0';
    try {
      const parts = { databases: database.databases, logger: { warn: () => undefined } };
      expect(() => openEventLog('spec', { databaseUrl: database.url, kafkaBrokers: ['127.0.0.1:9'] }, parts)).toThrow(/KAFKA_INSTANCE_ID needs KAFKA_CLIENT=platformatic/);
    } finally {
      delete process.env['KAFKA_INSTANCE_ID'];
    }
  });

  it('listens for hints as app_log, not as the login', async () => {
    const client = new Client({ connectionString: listenAddress(database.url) });
    await client.connect();
    try {
      expect((await client.query<{ role: string }>('select current_user as role')).rows).toEqual([{ role: 'app_log' }]);
      await client.query('listen event_log');
    } finally {
      await client.end();
    }
  });
});
