import type { LogDriver } from '../../driver.js';
import { LogClosed } from '../../errors.js';
import { Appender } from './append.js';
import { asking } from './broker-error.js';
import { ClockOffset } from './clock-offset.js';
import { GroupLag } from './group-lag.js';
import type { KafkaClientLibrary } from './kafka-client.js';
import { KafkaMember } from './member.js';
import { settingsOf, type KafkaDriverOptions } from './options.js';
import { takeOver } from './succession.js';
import { Topics } from './topics.js';

/** The log on Apache Kafka, through one client library. Nothing connects before the first call. */
export function driverOver(library: KafkaClientLibrary, options: KafkaDriverOptions): LogDriver {
  const settings = settingsOf(options);
  const questions = library.openQuestions(settings);
  const topics = new Topics(questions);
  const clock = new ClockOffset();
  const members = new Set<KafkaMember>();
  const appender = new Appender(settings, (topic) => topics.partitionCount(topic), (topic) => library.openProducer(settings, topic), (sent, sentAtMs) => {
    const answeredAtMs = Date.now();
    for (const { appendedAtMs } of sent) if (appendedAtMs !== null) clock.add(appendedAtMs, sentAtMs, answeredAtMs);
  });
  const lag = new GroupLag(questions, topics, (group) => [...members].filter((member) => member.group === group).flatMap((member) => member.topics));
  let isClosed = false;
  return {
    name: 'kafka',
    ensureTopics: (definitions) => topics.ensure(definitions),
    append: (topic, records) => appender.append(topic, records),
    async join(request, events) {
      if (isClosed) throw LogClosed.because(`joining group ${request.group}`);
      const inForce = await takeOver(questions, request.group, request.topics, settings.sessionTimeoutMs);
      const member: KafkaMember = new KafkaMember(request, inForce, events, settings, library, questions, topics, () => members.delete(member));
      members.add(member);
      await member.join();
      return member;
    },
    topics: () => topics.figures(),
    lag: (group) => lag.of(group),
    clockOffsetMs: () => clock.get(),
    ping: () => asking('asking the broker', () => questions.ping()),
    close() {
      isClosed = true;
      for (const member of [...members]) member.destroy();
      appender.close();
      questions.close();
      return Promise.resolve();
    },
  };
}
