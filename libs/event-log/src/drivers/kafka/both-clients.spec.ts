import { setTimeout as sleep } from 'node:timers/promises';
import { describeWithLocalKafka } from '@trunkline/local-services';
import { Kafka, logLevel } from 'kafkajs';
import { createEventLog } from '../../event-log.js';
import type { EventLog } from '../../port.js';
import { startBrokerUnderTest, type BrokerUnderTest } from './broker-under-test.js';
import { createKafkaDriver, type KafkaClientName } from './kafka-driver.js';

jest.setTimeout(60_000);

const hourMs = 3_600_000;
/** Kafka protocol, ConfigResource.Type. */
const topicResource = 2;

/** What a deployment does that changes KAFKA_CLIENT process by process. */
describeWithLocalKafka('kafkajs and @platformatic/kafka on one broker', () => {
  let broker: BrokerUnderTest;
  const logs: EventLog[] = [];
  const seen: { readonly value: string; readonly by: KafkaClientName }[] = [];
  const topics = ['a', 'b'];

  beforeAll(async () => {
    broker = await startBrokerUnderTest();
  });

  afterAll(async () => {
    await Promise.all(logs.map((log) => log.close()));
    await broker.stop();
  });

  it.each([['kafkajs', 'platformatic'], ['platformatic', 'kafkajs']] as const)('one group with members on both shares its partitions, whether %s leads it or follows, and repeats nothing', async (first, second) => {
    const group = `led-by-${first}`;
    seen.length = 0;
    const [leader, follower] = [open(first), open(second)];
    await leader.ensureTopics(topics.map((name) => ({ name, partitions: 4, retentionMs: hourMs })));
    const consumptions = [await consume(leader, group, first), await consume(follower, group, second)];
    const run = `${Date.now()}`;
    const values = Array.from({ length: 200 }, (_, index) => `${run}:${index}`);
    await until(async () => {
      await leader.append('a', [record(`${run}:probe`)]);
      return seen.some(({ by, value }) => by === first && value.startsWith(run)) && seen.some(({ by, value }) => by === second && value.startsWith(run));
    });
    await leader.append('a', values.slice(0, 100).map(record));
    await follower.append('b', values.slice(100).map(record));
    await until(() => values.every((value) => seen.some((one) => one.value === value)));
    expect(seen.filter(({ value }) => values.includes(value))).toHaveLength(values.length);
    await until(async () => (await leader.lag(group)).every(({ lag }) => lag === 0n));
    // Each sees what the other has committed.
    expect((await follower.lag(group)).map(({ topic, partition, committed }) => [topic, partition, committed])).toEqual((await leader.lag(group)).map(({ topic, partition, committed }) => [topic, partition, committed]));
    await Promise.all(consumptions.map((consumption) => consumption.stop(5_000)));
  });

  it.each(['kafkajs', 'platformatic'] as const)('%s has a file of the log closed after 6 hours, in topics it creates and in those it finds, whose other settings stay', async (client) => {
    const [created, found] = [`created-by-${client}`, `found-by-${client}`];
    const admin = new Kafka({ brokers: [...broker.brokers], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    try {
      await admin.createTopics({ topics: [{ topic: found, numPartitions: 1, configEntries: [{ name: 'segment.ms', value: String(168 * hourMs) }, { name: 'flush.messages', value: '9999' }] }] });
      await open(client).ensureTopics([created, found].map((name) => ({ name, partitions: 1, retentionMs: 168 * hourMs })));
      const declared = { 'segment.ms': String(6 * hourMs), 'retention.ms': String(168 * hourMs), 'message.timestamp.type': 'LogAppendTime' };
      const settings = async (): Promise<readonly Readonly<Record<string, string>>[]> => {
        const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [created, found].map((name) => ({ type: topicResource, name })) });
        return [created, found].map((name) => Object.fromEntries(resources.find(({ resourceName }) => resourceName === name)?.configEntries.map(({ configName, configValue }) => [configName, configValue]) ?? []));
      };
      // A broker answers a change once it is decided, and shows it once it has heard of that itself.
      await until(async () => (await settings()).every((one) => one['segment.ms'] === declared['segment.ms']));
      const [ofCreated, ofFound] = await settings();
      expect(ofCreated).toMatchObject(declared);
      expect(ofFound).toMatchObject({ ...declared, 'flush.messages': '9999' });
    } finally {
      await admin.disconnect();
    }
  });

  function open(client: KafkaClientName): EventLog {
    const log = createEventLog(createKafkaDriver({ client, brokers: broker.brokers, sessionTimeoutMs: 10_000, heartbeatIntervalMs: 100 }));
    logs.push(log);
    return log;
  }

  function consume(log: EventLog, group: string, by: KafkaClientName) {
    return log.consume({ mode: 'batch', group, topics, maxRecords: 100, handleBatch: (records) => {
      for (const { value } of records) seen.push({ value: String(value), by });
      return Promise.resolve(records.map(() => ({ kind: 'done' as const })));
    } });
  }
});

let keys = 0;

function record(value: string) {
  return { key: Buffer.from(String((keys += 1))), value: Buffer.from(value), headers: [] };
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = performance.now() + 20_000; !(await condition()); await sleep(20)) {
    if (performance.now() > deadline) throw new Error(`not within 20 s: ${condition.toString()}`);
  }
}
