import type { LogDriver } from '../../driver.js';
import { LogClosed } from '../../errors.js';
import { AdminConnection } from './admin-connection.js';
import { Appender } from './append.js';
import { ClockOffset } from './clock-offset.js';
import { GroupLag } from './group-lag.js';
import { KafkaMember } from './member.js';
import { settingsOf, type KafkaDriverOptions } from './options.js';
import { takeOver } from './succession.js';
import { Topics, asking } from './topics.js';

/** The log on Apache Kafka, through kafkajs. Nothing connects before the first call. */
export function createKafkaDriver(options: KafkaDriverOptions): LogDriver {
  const settings = settingsOf(options);
  const connection = new AdminConnection(settings);
  const topics = new Topics(connection);
  const clock = new ClockOffset();
  const members = new Set<KafkaMember>();
  const appender = new Appender(settings, (topic) => topics.partitionCount(topic), (metadata, sentAtMs) => {
    const answeredAtMs = Date.now();
    for (const { logAppendTime } of metadata) if (logAppendTime !== undefined && logAppendTime !== '-1') clock.add(Number(logAppendTime), sentAtMs, answeredAtMs);
  });
  const lag = new GroupLag(connection, topics, (group) => [...members].filter((member) => member.group === group).flatMap((member) => member.topics));
  let isClosed = false;
  return {
    name: 'kafka',
    ensureTopics: (definitions) => topics.ensure(definitions),
    append: (topic, records) => appender.append(topic, records),
    async join(request, events) {
      if (isClosed) throw LogClosed.because(`joining group ${request.group}`);
      const inForce = await takeOver(connection, request.group, request.topics, settings.sessionTimeoutMs);
      const member: KafkaMember = new KafkaMember(request, inForce, events, settings, connection, topics, () => members.delete(member));
      members.add(member);
      await member.join();
      return member;
    },
    topics: () => topics.figures(),
    lag: (group) => lag.of(group),
    clockOffsetMs: () => clock.get(),
    async ping() {
      await asking('asking the broker', () => connection.ask('describing the cluster', (admin) => admin.describeCluster()));
    },
    close() {
      isClosed = true;
      for (const member of [...members]) member.destroy();
      appender.close();
      connection.close();
      return Promise.resolve();
    },
  };
}
