import { describeWithLocalKafka, isKafkaRequest } from '@trunkline/local-services';
import { Kafka, Partitioners, logLevel } from 'kafkajs';
import type { LogDriver } from '../../driver.js';
import type { LogRecord, StoredRecord } from '../../port.js';
import { startBrokerUnderTest, type BrokerUnderTest } from './broker-under-test.js';
import { createKafkaDriver, type KafkaClientName } from './kafka-driver.js';

const clients: readonly KafkaClientName[] = ['kafkajs', 'platformatic'];

jest.setTimeout(60_000);

const isProduce = isKafkaRequest(0);
const KEY = Buffer.from('one partition');

describeWithLocalKafka('when the answer to a produce request is lost after the broker has stored the records', () => {
  let broker: BrokerUnderTest;
  let driver: LogDriver;
  let topic = '';
  let topics = 0;

  beforeAll(async () => {
    broker = await startBrokerUnderTest();
  });

  async function open(client: KafkaClientName): Promise<void> {
    topic = `t-${(topics += 1)}`;
    driver = createKafkaDriver({ client, brokers: broker.brokers, appendTimeoutMs: 10_000 });
    await driver.ensureTopics([{ name: topic, partitions: 1, retentionMs: 3_600_000 }]);
    // Connects, so that the next produce request is the one meant.
    await driver.append(topic, [record('first')]);
  }

  afterEach(() => driver.close());
  afterAll(() => broker.stop());

  it.each(clients)('a lane of %s keeps every acknowledged record, once and in order', async (client) => {
    await open(client);
    const happened = broker.proxy.failNextResponse('drop', isProduce);
    const appends = ['A', 'B', 'C', 'D', 'E'].map((value) => driver.append(topic, [record(value)]));
    const positions = (await Promise.all(appends)).flat();
    await happened;
    const stored = await readAll(broker, topic, 6);
    expect(stored.map(({ value }) => String(value))).toEqual(['first', 'A', 'B', 'C', 'D', 'E']);
    expect(positions.map(({ offset }) => offset)).toEqual([1n, 2n, 3n, 4n, 5n]);
  });

  it.each(clients)('a lane of %s whose send was given up on resends with a new session and loses nothing that follows', async (client) => {
    await open(client);
    await driver.close();
    driver = createKafkaDriver({ client, brokers: broker.brokers, appendTimeoutMs: 1_000 });
    const acknowledged = ['first', await appendUntilTaken(driver, topic, 'second')];
    broker.proxy.pause();
    await expect(driver.append(topic, [record('A')])).rejects.toMatchObject({ code: 'event_log.unavailable' });
    broker.proxy.resume();
    for (const value of ['B', 'C']) acknowledged.push(await appendUntilTaken(driver, topic, value));
    const values = (await readAll(broker, topic, 4)).map(({ value }) => String(value));
    // What was given up on may stand there or not; what was acknowledged stands there once, and in order.
    expect(values.filter((value) => acknowledged.includes(value))).toEqual(acknowledged);
  });

  /** Why lanes exist. The day this fails, kafkajs has been corrected and one shared producer will do. */
  it('one idempotent producer of kafkajs with concurrent sends acknowledges records that are not in the log', async () => {
    await open('kafkajs');
    const kafka = new Kafka({ brokers: [...broker.brokers], logLevel: logLevel.NOTHING, retry: { initialRetryTime: 50, retries: 50, maxRetryTime: 500 } });
    const producer = kafka.producer({ idempotent: true, createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
    await producer.send({ topic, messages: [{ key: KEY, value: 'second' }] });
    const happened = broker.proxy.failNextResponse('drop', isProduce);
    const sends = ['A', 'B'].map((value) => producer.send({ topic, messages: [{ key: KEY, value }] }));
    const answers = await Promise.all(sends);
    await happened;
    await producer.disconnect();
    expect(answers.flat().map(({ errorCode }) => errorCode)).toEqual([0, 0]);
    const stored = (await readAll(broker, topic, 4)).map(({ value }) => String(value));
    expect(new Set(stored).size).toBeLessThan(4);
  });
});

function record(value: string): LogRecord {
  return { key: KEY, value: Buffer.from(value), headers: [] };
}

/** Each try has a value of its own; answers with the one that was acknowledged. */
async function appendUntilTaken(driver: LogDriver, topic: string, name: string): Promise<string> {
  const deadline = performance.now() + 15_000;
  for (let turn = 1; ; turn += 1) {
    try {
      await driver.append(topic, [record(`${name} ${turn}`)]);
      return `${name} ${turn}`;
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
  }
}

/** Everything in the topic once it holds so many records; a moment later nothing more may have come. */
async function readAll(broker: BrokerUnderTest, topic: string, expected: number): Promise<readonly StoredRecord[]> {
  const driver = createKafkaDriver({ brokers: broker.brokers });
  const seen: StoredRecord[] = [];
  const [figures] = await Promise.all([driver.ensureTopics([{ name: topic, partitions: 1, retentionMs: 3_600_000 }]).then(() => driver.topics())]);
  const total = Number(figures[0]?.records ?? 0n);
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${seen.length} of ${total} records came`)), 20_000);
    driver
      .join({ group: `g-${topic}-${Math.random()}`, topics: [topic], fetchRecords: 100 }, {
        assigned: () => undefined,
        revoked: () => Promise.resolve(),
        crashed: (reason) => reject(new Error(reason)),
        deliver: (_, records) => {
          seen.push(...records);
          if (seen.length >= Math.max(total, expected - 1)) {
            clearTimeout(timer);
            resolve();
          }
        },
      })
      .catch(reject);
  });
  await driver.close();
  return seen;
}
