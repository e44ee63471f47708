import { setTimeout as sleep } from 'node:timers/promises';
import { describeWithLocalKafka } from '@trunkline/local-services';
import { createEventLog } from '../../event-log.js';
import type { EventLog } from '../../port.js';
import { startBrokerUnderTest, type BrokerUnderTest } from '../kafka/broker-under-test.js';
import { createKafkaDriver } from '../kafka/kafka-driver.js';

jest.setTimeout(60_000);

const topic = 'restarted';
/** Far longer than anything here takes: nothing may depend on its end. */
const sessionTimeoutMs = 30_000;

describeWithLocalKafka('a process that was killed and started again under its own name', () => {
  let broker: BrokerUnderTest;
  const logs: EventLog[] = [];

  beforeAll(async () => {
    broker = await startBrokerUnderTest();
  });

  afterEach(() => Promise.all(logs.splice(0).map((log) => log.close())));
  afterAll(() => broker.stop());

  async function start(instanceId: string | null, group: string) {
    const reported: string[] = [];
    const log = createEventLog(createKafkaDriver({ client: 'platformatic', brokers: broker.brokers, sessionTimeoutMs, heartbeatIntervalMs: 200, instanceId }), { report: (error) => reported.push(error instanceof Error ? error.message : String(error)) });
    logs.push(log);
    await log.ensureTopics([{ name: topic, partitions: 4, retentionMs: 3_600_000 }]);
    const seen = new Set<string>();
    const consumption = await log.consume({ mode: 'batch', group, topics: [topic], maxRecords: 100, handleBatch: (records) => {
      for (const { value } of records) seen.add(String(value));
      return Promise.resolve(records.map(() => ({ kind: 'done' as const })));
    } });
    return { log, seen, reported, health: () => consumption.health() };
  }

  const append = (log: EventLog, values: readonly string[]) => log.append(topic, values.map((value) => ({ key: Buffer.from(value), value: Buffer.from(value), headers: [] })));

  it('is taken for the one that died at once, and beside it another member reads on without a pause', async () => {
    const [first, other] = [await start('first', 'named'), await start('other', 'named')];
    const before = values('before');
    await append(other.log, before);
    await until(() => before.every((value) => first.seen.has(value) || other.seen.has(value)));
    // The first lives on without knowing it: for the group that is a process which died and left its session open.
    const successor = await start('first', 'named');
    const beganMs = performance.now();
    const after = values('after');
    await append(other.log, after);
    await until(() => after.every((value) => successor.seen.has(value) || other.seen.has(value)));
    expect(performance.now() - beganMs).toBeLessThan(sessionTimeoutMs / 3);
    expect([...successor.seen].some((value) => value.startsWith('after'))).toBe(true);
  });

  it('stays out when another process has taken its name, and says so', async () => {
    const first = await start('only', 'taken');
    await start('only', 'taken');
    await until(() => /another process has joined as only/.test(first.health().reason ?? ''));
    expect(first.health().ready).toBe(false);
    expect(first.reported).toContainEqual(expect.stringMatching(/another process has joined as only/));
  });
});

function values(prefix: string): readonly string[] {
  return Array.from({ length: 40 }, (_, index) => `${prefix}-${index}`);
}

async function until(condition: () => boolean): Promise<void> {
  for (const deadline = performance.now() + 20_000; !condition(); await sleep(10)) {
    if (performance.now() > deadline) throw new Error(`not within 20 s: ${condition.toString()}`);
  }
}
