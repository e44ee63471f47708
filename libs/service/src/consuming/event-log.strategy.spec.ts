import type { CallHandler, ExecutionContext, NestInterceptor, Type } from '@nestjs/common';
import { Controller, Injectable, UseInterceptors } from '@nestjs/common';
import type { Topic } from '@trunkline/contracts';
import type { BatchConsumer, EventLog, PerKeyConsumer, RecordOutcome, StoredRecord } from '@trunkline/event-log';
import { createLogger } from '@trunkline/telemetry';
import { tap } from 'rxjs';
import { BatchHandler, RecordHandler } from './handlers.js';
import { batchController, recordController } from './record-controllers.js';
import { startConsumers } from './start-consumers.js';
import type { RunningConsumers } from './start-consumers.js';

const registry = ['events.a', 'events.b', 'results'].map((name): Topic => ({ name, partitions: 1, retentionMs: 1, key: '', carries: 'event', summary: '' }));
const record = (topic: string, offset = 0n): StoredRecord => ({ topic, partition: 0, offset, appendedAtMs: 0, key: Buffer.from('k'), value: Buffer.from([0, 255]), headers: [['a', Buffer.from([1])], ['a', Buffer.from([2])]] });

/** Keeps the consumers it was given; the spec plays the driver. */
function fakeLog() {
  const consumers: (BatchConsumer | PerKeyConsumer)[] = [];
  const stopped: string[] = [];
  const unready = new Map<string, string>();
  const log = {
    driver: 'postgres',
    ensureTopics: async () => undefined,
    ping: async () => undefined,
    consume: async (consumer: BatchConsumer | PerKeyConsumer) => {
      consumers.push(consumer);
      return {
        health: () => ({ ready: !unready.has(consumer.group), reason: unready.get(consumer.group) }),
        lastHeartbeatMs: () => 1,
        stop: async (graceMs: number) => void stopped.push(`${consumer.group} ${graceMs}`),
      };
    },
  } as unknown as EventLog;
  return { log, consumers, stopped, unready };
}

const done: RecordOutcome = { kind: 'done' };

@Injectable()
class Ledger {
  readonly seen: StoredRecord[] = [];
}

@Injectable()
class Counting implements NestInterceptor {
  static calls = 0;
  intercept(_: ExecutionContext, next: CallHandler) {
    Counting.calls += 1;
    return next.handle().pipe(tap());
  }
}

@Controller()
class LedgerController {
  constructor(private readonly ledger: Ledger) {}

  @UseInterceptors(Counting)
  @BatchHandler({ group: 'ledger', topics: ['events.a', 'events.b'], maxRecords: 500 })
  async plan(records: readonly StoredRecord[]): Promise<readonly RecordOutcome[]> {
    this.ledger.seen.push(...records);
    return records.map(({ topic }) => (topic === 'events.a' ? done : { kind: 'dead-letter', code: 'event.unreadable', reason: 'x' }));
  }

  @RecordHandler({ group: 'results', topics: ['results'], maxInFlight: 4 })
  async record(): Promise<RecordOutcome> {
    throw Object.assign(new Error('the database is away'), { code: 'storage.unavailable' });
  }
}

describe('the event log as a transport of Nest', () => {
  let running: RunningConsumers | undefined;
  const warnings: string[] = [];
  const logger = createLogger({ app: 'spec', destination: { write: (line) => void warnings.push(line) } });
  afterEach(async () => {
    await running?.stop(0);
    running = undefined;
  });

  const start = async (fake: ReturnType<typeof fakeLog>, topics: readonly string[], controllers: readonly Type<object>[], providers: Type<object>[] = []) => {
    running = await startConsumers({ eventLog: fake.log, topics, registry, controllers, providers, logger });
    return running;
  };
  const batchOf = (fake: ReturnType<typeof fakeLog>) => fake.consumers.find((consumer) => consumer.mode === 'batch');
  const perKeyOf = (fake: ReturnType<typeof fakeLog>) => fake.consumers.find((consumer) => consumer.mode === 'per-key');

  it('hands a batch to its handler and gives back its outcomes, with injection and interceptors at work', async () => {
    const fake = fakeLog();
    await start(fake, ['events.a', 'events.b', 'results'], [LedgerController], [Ledger]);
    expect(batchOf(fake)).toMatchObject({ group: 'ledger', topics: ['events.a', 'events.b'], maxRecords: 500 });
    const records = [record('events.a'), record('events.b', 2n ** 53n)];
    expect(await batchOf(fake)?.handleBatch(records)).toEqual([done, { kind: 'dead-letter', code: 'event.unreadable', reason: 'x' }]);
    expect(Counting.calls).toBe(1);
  });

  it('lets a throw reach the consumer as it was', async () => {
    const fake = fakeLog();
    await start(fake, ['events.a', 'events.b', 'results'], [LedgerController], [Ledger]);
    await expect(perKeyOf(fake)?.handleRecord(record('results'))).rejects.toMatchObject({ message: 'the database is away', code: 'storage.unavailable' });
    expect(warnings).toEqual([]);
  });

  it('passes the very records, bytes and repeated headers untouched', async () => {
    const fake = fakeLog();
    const seen: unknown[] = [];
    await start(fake, ['results'], [recordController({ group: 'w', topics: ['results'], maxInFlight: 1 }, async (each) => (seen.push(each), done))]);
    const given = record('results');
    await perKeyOf(fake)?.handleRecord(given);
    expect(seen[0]).toBe(given);
  });

  it('keeps order by the given key, else by the key of the record', async () => {
    const fake = fakeLog();
    await start(fake, ['results', 'events.a'], [
      recordController({ group: 'one', topics: ['results'], maxInFlight: 1 }, async () => done),
      recordController({ group: 'two', topics: ['events.a'], maxInFlight: 1, orderingKey: ({ topic }) => topic }, async () => done),
    ]);
    const [one, two] = fake.consumers.map((consumer) => (consumer.mode === 'per-key' ? consumer.orderingKey : undefined));
    expect(one?.(record('results'))).toBe('k');
    expect(one?.({ ...record('results', 5n), key: null })).not.toBe(one?.({ ...record('results', 6n), key: null }));
    expect(two?.(record('events.a'))).toBe('events.a');
  });

  describe('refuses to start', () => {
    const batch = (group: string, ...topics: string[]) => batchController({ group, topics, maxRecords: 1 }, async () => []);
    it.each<[string, string, string[], Type<object>[]]>([
      ['with a topic that has no handler', 'service.topic_unhandled', ['events.a', 'results'], [batch('g', 'events.a')]],
      ['without any handler', 'service.topic_unhandled', ['results'], []],
      ['with a handler for a topic that is not in the registry', 'service.handler_invalid', ['events.a'], [batch('g', 'events.a', 'events.z')]],
      ['with a wanted topic that is not in the registry', 'service.handler_invalid', ['events.z'], [batch('g', 'events.z')]],
      ['with a handler for a topic of another app', 'service.handler_invalid', ['events.a'], [batch('g', 'events.a', 'results')]],
      ['with two handlers in one group', 'service.handler_invalid', ['events.a', 'results'], [batch('g', 'events.a'), batch('g', 'results')]],
      ['with two handlers for the same topics in one group', 'service.handler_invalid', ['events.a'], [batch('g', 'events.a'), batch('g', 'events.a')]],
    ])('%s', async (_, code, topics, controllers) => {
      const fake = fakeLog();
      await expect(start(fake, topics, controllers)).rejects.toMatchObject({ code });
      expect(fake.consumers).toEqual([]);
    });
  });

  it('stops what it had started when a later consumer cannot start', async () => {
    const fake = fakeLog();
    const consume = fake.log.consume.bind(fake.log);
    Object.assign(fake.log, { consume: (consumer: BatchConsumer) => (consumer.group === 'second' ? Promise.reject(new Error('no broker')) : consume(consumer)) });
    const controllers = [batchController({ group: 'first', topics: ['events.a'], maxRecords: 1 }, async () => []), batchController({ group: 'second', topics: ['results'], maxRecords: 1 }, async () => [])];
    await expect(start(fake, ['events.a', 'results'], controllers)).rejects.toThrow('no broker');
    expect(fake.stopped).toEqual(['first 20000']);
  });

  it('names a consumer that is not ready', async () => {
    const fake = fakeLog();
    const { strategy } = await start(fake, ['results'], [batchController({ group: 'g', topics: ['results'], maxRecords: 1 }, async () => [])]);
    const [, consumers] = strategy.dependencies();
    expect(await consumers?.check()).toBeNull();
    fake.unready.set('g', 'crashed: session lost');
    expect(await consumers?.check()).toBe('g: crashed: session lost');
    expect(strategy.consumption('g')?.lastHeartbeatMs()).toBe(1);
  });

  it('gives its consumers the time that is left when it stops', async () => {
    const fake = fakeLog();
    const { stop } = await start(fake, ['results'], [batchController({ group: 'g', topics: ['results'], maxRecords: 1 }, async () => [])]);
    await stop(7_000);
    expect(fake.stopped).toEqual(['g 7000']);
  });
});
