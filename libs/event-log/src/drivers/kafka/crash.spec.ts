import { setTimeout as sleep } from 'node:timers/promises';
import { describeWithLocalKafka, isKafkaRequest } from '@trunkline/local-services';
import { createEventLog } from '../../event-log.js';
import type { EventLog, LogRecord } from '../../port.js';
import { startBrokerUnderTest, type BrokerUnderTest } from './broker-under-test.js';
import { createKafkaDriver, type KafkaClientName } from './kafka-driver.js';

jest.setTimeout(120_000);

const isFetch = isKafkaRequest(1);
const JOIN_GROUP = 11;
const HEARTBEAT = 12;
/** Error codes of the Kafka protocol. */
const COORDINATOR_LOAD_IN_PROGRESS = 14;
const NOT_COORDINATOR = 16;
/** Generation −1, then no protocol, no leader, no member id and no members (JoinGroup v5). */
const emptyJoinGroup = Buffer.from('ffffffff00000000000000000000', 'hex');
const clients: readonly KafkaClientName[] = ['kafkajs', 'platformatic'];

describeWithLocalKafka('a Kafka consumer in trouble', () => {
  let broker: BrokerUnderTest;
  const logs: EventLog[] = [];

  beforeAll(async () => {
    broker = await startBrokerUnderTest();
  });

  afterEach(() => Promise.all(logs.splice(0).map((log) => log.close())));
  afterAll(() => broker.stop());

  it('is unready after a crash inside kafkajs that kafkajs never restarts from, and is replaced', async () => {
    const { log, topic, seen, health, crashes } = await consuming({ stallAfterMs: 30_000 });
    await log.append(topic, [record('before')]);
    await until(() => seen.has('before'));
    // A fetch response cut short: kafkajs ends with a RangeError, which it treats as final.
    await broker.proxy.failNextResponse('truncate', isFetch);
    await until(() => crashes.length === 1);
    expect(health()).toMatchObject({ ready: false, reason: expect.stringContaining('the consumer ended') });
    await log.append(topic, [record('after')]);
    await until(() => seen.has('after'));
    expect(health()).toEqual({ ready: true });
  });

  /** Found by `trunkline chaos`: after a broker's start kafkajs went on reading under its old generation, for a member that had given its partitions back. */
  it('of kafkajs reads on after a coordinator that was still loading did not let it join again', async () => {
    const { log, topic, seen, health } = await consuming({ stallAfterMs: 30_000 });
    await log.append(topic, [record('before')]);
    await until(() => seen.has('before'));
    const refusedJoin = broker.proxy.answerNext(isKafkaRequest(JOIN_GROUP), (request) => refusalOf(request, COORDINATOR_LOAD_IN_PROGRESS, emptyJoinGroup));
    await broker.proxy.answerNext(isKafkaRequest(HEARTBEAT), (request) => refusalOf(request, NOT_COORDINATOR));
    await refusedJoin;
    await log.append(topic, [record('after')]);
    await until(() => seen.has('after'));
    await until(() => health().ready);
  });

  it('goes on after a response that @platformatic/kafka cannot read, with the same member', async () => {
    const { log, topic, seen, health, crashes } = await consuming({ client: 'platformatic', stallAfterMs: 30_000 });
    await log.append(topic, [record('before')]);
    await until(() => seen.has('before'));
    await broker.proxy.failNextResponse('truncate', isFetch);
    await log.append(topic, [record('after')]);
    await until(() => seen.has('after'));
    expect({ health: health(), crashes }).toEqual({ health: { ready: true }, crashes: [] });
  });

  it.each(clients)('of %s is unready when its fetches stall, and is replaced because the broker answers others', async (client) => {
    const { log, topic, seen, health, crashes } = await consuming({ client, stallAfterMs: 3_000 });
    await log.append(topic, [record('before')]);
    await until(() => seen.has('before'));
    await broker.proxy.failNextResponse('silence', isFetch);
    await until(() => !health().ready);
    await log.append(topic, [record('after')]);
    await until(() => seen.has('after'));
    // A machine that stands still for longer than a fetch may take looks the same once.
    expect([1, 2]).toContain(crashes.length);
    await until(() => health().ready);
  });

  it.each(clients)('of %s loses nothing that was acknowledged when the broker is killed under load, twice', async (client) => {
    const { log, topic, seen } = await consuming({ client, stallAfterMs: 15_000, appendTimeoutMs: 2_000 });
    const acknowledged: string[] = [];
    let isEnding = false;
    const produce = async (worker: number): Promise<void> => {
      for (let turn = 0; !isEnding; turn += 1) {
        const values = Array.from({ length: 10 }, (_, index) => `${worker}:${turn}:${index}`);
        try {
          await log.append(topic, values.map(record));
          acknowledged.push(...values);
        } catch (error) {
          expect(error).toMatchObject({ code: 'event_log.unavailable' });
        }
      }
    };
    const producing = Promise.all([0, 1, 2, 3, 4, 5].map(produce));
    for (const downMs of [200, 3_000]) {
      const before = acknowledged.length;
      await until(() => acknowledged.length > before + 500);
      await broker.kill();
      await sleep(downMs);
      await broker.restart();
    }
    const before = acknowledged.length;
    await until(() => acknowledged.length > before + 500);
    isEnding = true;
    await producing;
    await until(() => acknowledged.every((value) => seen.has(value)));
    expect(acknowledged.filter((value) => !seen.has(value))).toEqual([]);
  });

  let count = 0;

  /** Where nothing is said an append waits for longer than a broker on a busy machine stands still. */
  async function consuming({ client = 'kafkajs', stallAfterMs, appendTimeoutMs = 20_000 }: { readonly client?: KafkaClientName; readonly stallAfterMs: number; readonly appendTimeoutMs?: number }) {
    const topic = `crash-${(count += 1)}`;
    const driver = createKafkaDriver({ client, brokers: broker.brokers, appendTimeoutMs, sessionTimeoutMs: 10_000, stallAfterMs });
    const crashes: string[] = [];
    const log = createEventLog({
      ...driver,
      join: (request, events) => driver.join(request, { assigned: (all) => events.assigned(all), revoked: (all, how) => events.revoked(all, how), deliver: (one, records) => events.deliver(one, records), crashed: (reason) => {
        crashes.push(reason);
        events.crashed(reason);
      } }),
    });
    logs.push(log);
    await log.ensureTopics([{ name: topic, partitions: 4, retentionMs: 3_600_000 }]);
    const seen = new Set<string>();
    const consumption = await log.consume({ mode: 'batch', group: `g-${topic}`, topics: [topic], maxRecords: 500, handleBatch: (records) => {
      for (const { value } of records) seen.add(String(value));
      return Promise.resolve(records.map(() => ({ kind: 'done' as const })));
    } });
    return { log, topic, seen, crashes, health: () => consumption.health() };
  }
});

/** The answer's length, the request's correlation id, no throttling and the error, then the rest of the body. */
function refusalOf(request: Buffer, errorCode: number, rest: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(14);
  head.writeInt32BE(10 + rest.length, 0);
  request.copy(head, 4, 8, 12);
  head.writeInt16BE(errorCode, 12);
  return Buffer.concat([head, rest]);
}

function record(value: string): LogRecord {
  return { key: Buffer.from(value), value: Buffer.from(value), headers: [] };
}

async function until(condition: () => boolean): Promise<void> {
  for (const deadline = performance.now() + 40_000; !condition(); await sleep(10)) {
    if (performance.now() > deadline) throw new Error(`not within 40 s: ${condition.toString()}`);
  }
}
