import { setTimeout as sleep } from 'node:timers/promises';
import { describeWithLocalKafka } from '@trunkline/local-services';
import { createEventLog } from '../../event-log.js';
import type { Consumption, EventLog } from '../../port.js';
import { startBrokerUnderTest, type BrokerUnderTest } from './broker-under-test.js';
import { createKafkaDriver, type KafkaClientName } from './kafka-driver.js';

const clients: readonly KafkaClientName[] = ['kafkajs', 'platformatic'];

jest.setTimeout(60_000);

describeWithLocalKafka('a group whose list of topics changes', () => describe.each(clients)('on %s', (client) => {
  let broker: BrokerUnderTest;
  let log: EventLog;

  beforeAll(async () => {
    broker = await startBrokerUnderTest();
    log = createEventLog(createKafkaDriver({ client, brokers: broker.brokers, sessionTimeoutMs: 4_000, heartbeatIntervalMs: 100 }));
    await log.ensureTopics(['a', 'b'].map((name) => ({ name, partitions: 2, retentionMs: 3_600_000 })));
  });

  afterAll(async () => {
    await log.close();
    await broker.stop();
  });

  it('goes on where it was, once the members with the old list are gone', async () => {
    await append('a', ['1', '2', '3']);
    const first: string[] = [];
    const old = await consume(['a'], first);
    await until(() => first.length === 3);
    await expect(consume(['a', 'b'], [])).rejects.toMatchObject({ code: 'event_log.group_retired' });
    await old.stop(5_000);

    await append('a', ['4']);
    await append('b', ['5']);
    const second: string[] = [];
    const next = await consume(['a', 'b'], second);
    await until(() => second.length === 2);
    expect(second.toSorted()).toEqual(['4', '5']);
    await until(async () => (await log.lag('group')).every(({ lag }) => lag === 0n));
    expect((await log.lag('group')).map(({ topic, partition }) => `${topic}/${partition}`)).toEqual(['a/0', 'a/1', 'b/0', 'b/1']);
    await next.stop(5_000);
  });

  it('and back again', async () => {
    const seen: string[] = [];
    const back = await consume(['a'], seen);
    await append('a', ['6']);
    await until(() => seen.length > 0);
    expect(seen).toEqual(['6']);
    await back.stop(5_000);
  });

  async function append(topic: string, values: readonly string[]): Promise<void> {
    await log.append(topic, values.map((value) => ({ key: Buffer.from(value), value: Buffer.from(value), headers: [] })));
  }

  function consume(topics: readonly string[], seen: string[]): Promise<Consumption> {
    return log.consume({ mode: 'batch', group: 'group', topics, maxRecords: 100, handleBatch: (records) => {
      seen.push(...records.map(({ value }) => String(value)));
      return Promise.resolve(records.map(() => ({ kind: 'done' as const })));
    } });
  }
}));

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = performance.now() + 20_000; !(await condition()); await sleep(20)) {
    if (performance.now() > deadline) throw new Error(`not within 20 s: ${condition.toString()}`);
  }
}
