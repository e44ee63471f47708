import { Controller } from '@nestjs/common';
import { topics as registry } from '@trunkline/contracts';
import { createEventLog, createPostgresDriver } from '@trunkline/event-log';
import type { EventLog, RecordOutcome, StoredRecord } from '@trunkline/event-log';
import { openTestDatabase } from '@trunkline/storage/testing';
import type { TestDatabase } from '@trunkline/storage/testing';
import { createLogger } from '@trunkline/telemetry';
import { BatchHandler, RecordHandler } from './handlers.js';
import { startConsumers } from './start-consumers.js';
import type { RunningConsumers } from './start-consumers.js';

const seen: string[] = [];
let failures = 2;

@Controller()
class Consumers {
  @BatchHandler({ group: 'ledger', topics: ['results'], maxRecords: 100 })
  async results(records: readonly StoredRecord[]): Promise<readonly RecordOutcome[]> {
    if (failures > 0) {
      failures -= 1;
      throw new Error('the database is away');
    }
    seen.push(...records.map(({ value }) => `batch ${value?.toString()}`));
    return records.map(() => ({ kind: 'done' }));
  }

  @RecordHandler({ group: 'worker', topics: ['commands.crm'], maxInFlight: 8 })
  async command({ value }: StoredRecord): Promise<RecordOutcome> {
    seen.push(`record ${value?.toString()}`);
    return value?.toString() === '3' ? { kind: 'dead-letter', code: 'command.unreadable', reason: 'three' } : { kind: 'done' };
  }
}

describe('consumers on PostgreSQL', () => {
  let database: TestDatabase;
  let log: EventLog;
  let running: RunningConsumers;

  beforeAll(async () => {
    database = await openTestDatabase();
    log = createEventLog(createPostgresDriver({ pool: database.databases.log, listenConnectionString: database.url }));
    running = await startConsumers({ eventLog: log, topics: ['results', 'commands.crm'], controllers: [Consumers], logger: createLogger({ app: 'spec', level: 'silent' }) });
  }, 60_000);
  afterAll(async () => {
    await running?.stop(5_000);
    await log?.close();
    await database?.close();
  });

  it('takes every record in order, again after a throw, passes offsets and keeps what nobody can process', async () => {
    const records = [1, 2, 3, 4, 5].map((number) => ({ key: Buffer.from('one'), value: Buffer.from(String(number)), headers: [] }));
    await log.append('results', records);
    await log.append('commands.crm', records);
    await until(async () => (await unread('ledger')) === 0n && (await unread('worker')) === 0n && seen.length >= 10);
    expect(seen.filter((line) => line.startsWith('batch'))).toEqual([1, 2, 3, 4, 5].map((number) => `batch ${number}`));
    expect(seen.filter((line) => line.startsWith('record'))).toEqual([1, 2, 3, 4, 5].map((number) => `record ${number}`));
    expect(failures).toBe(0);
    const dead = (await log.topics()).find(({ topic }) => topic === 'dead-letters');
    expect(dead?.records).toBe(1n);
  }, 30_000);

  it('is ready, with every topic of the registry created', async () => {
    await until(async () => (await Promise.all(running.strategy.dependencies().map(({ check }) => check()))).every((answer) => answer === null));
    expect((await log.topics()).map(({ topic }) => topic).sort()).toEqual(registry.map(({ name }) => name).sort());
  });

  const unread = async (group: string): Promise<bigint> => (await log.lag(group)).reduce((sum, { lag }) => sum + lag, 0n);
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + 20_000;
  while (!(await condition())) {
    if (performance.now() > giveUpAt) throw new Error('the condition never came true');
  }
}
