import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startKafka } from '@trunkline/local-services';
import { Kafka, logLevel } from 'kafkajs';
import { statesOf } from '../drivers/kafka/succession.js';
import type { ClusterQuestions } from '../drivers/kafka/kafka-client.js';
import { kafkajsLibrary } from '../drivers/kafka/kafkajs-library.js';
import { settingsOf } from '../drivers/kafka/options.js';
import type { Harness } from './harness.js';
import * as kafkajs from './kafka-entry.js';
import { appendTimeoutMs, sessionTimeoutMs } from './kafka-entry.js';
import * as platformatic from './platformatic-entry.js';

const entries = { kafkajs: { ...kafkajs, module: 'kafka-entry' }, platformatic: { ...platformatic, module: 'platformatic-entry' } } as const;

/** The log on a broker of its own, since cases stop it. */
export async function startKafkaHarness(client: keyof typeof entries): Promise<Harness> {
  const { openDriver, module } = entries[client];
  const dataDir = mkdtempSync(join(tmpdir(), 'trunkline-event-log-kafka-'));
  let server = await startKafka({ dataDir });
  const { port } = server;
  const brokers = server.brokers.join(',');
  const questions = kafkajsLibrary.openQuestions(settingsOf({ brokers: server.brokers }));
  const writer = await openDriver(brokers);
  return {
    open: (patience) => openDriver(brokers, patience),
    sessionTimeoutMs,
    child: { module: fileURLToPath(new URL(`../../dist/testing/${module}.js`, import.meta.url)), argument: brokers },
    stopServer: () => server.stop(),
    async startServer() {
      // Appends are held back for their time-out before they are refused; an outage shorter than that would test only half.
      await wait(appendTimeoutMs.impatient);
      server = await startKafka({ dataDir, port });
    },
    async writeRudely(topic, record, { pause, isRolledBack }) {
      await pause();
      if (!isRolledBack) await writer.append(topic, [record]);
    },
    applyRetention: (liveGroups) => trim(brokers, questions, liveGroups),
    hasGaplessOffsets: true,
    async close() {
      await writer.close();
      questions.close();
      await server.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/**
 * Kafka removes by age and asks no group; what keeps the promise there is the age (7 days) and the refusal of new events once something unread is half as old.
 * Here records are removed as an operator may remove them by hand: all that every live group has committed.
 */
async function trim(brokers: string, questions: ClusterQuestions, liveGroups: readonly string[]): Promise<void> {
  const admin = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    const states = await Promise.all(liveGroups.map(async (group) => (await statesOf(questions, group))[0]));
    const topics = (await admin.listTopics()).filter((name) => !name.startsWith('__'));
    for (const topic of topics) {
      const partitions = (await admin.fetchTopicOffsets(topic)).map(({ partition, high, low }) => {
        const read = states.map((state) => state?.offsets.find((one) => one.topic === topic && one.partition === partition)?.offset ?? BigInt(low));
        return { partition, offset: String(read.reduce((lowest, offset) => (offset < lowest ? offset : lowest), BigInt(high))), low };
      });
      const behind = partitions.filter(({ offset, low }) => BigInt(offset) > BigInt(low));
      if (behind.length > 0) await admin.deleteTopicRecords({ topic, partitions: behind });
    }
  } finally {
    await admin.disconnect();
  }
}
