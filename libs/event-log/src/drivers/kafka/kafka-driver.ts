import type { LogDriver } from '../../driver.js';
import { driverOver } from './driver-over.js';
import type { KafkaClientLibrary } from './kafka-client.js';
import type { KafkaDriverOptions } from './options.js';

export type KafkaClientName = 'kafkajs' | 'platformatic';

/** Loaded when chosen: importing the two takes 18 and 58 MiB, 70 and 690 ms of processor time (Node 24, 2026-11). */
const libraries: Readonly<Record<KafkaClientName, () => Promise<KafkaClientLibrary>>> = {
  kafkajs: async () => (await import('./kafkajs-library.js')).kafkajsLibrary,
  platformatic: async () => (await import('../platformatic/platformatic-library.js')).platformaticLibrary,
};

/** The log on Apache Kafka. Loading begins at once, connecting with the first call. */
export function createKafkaDriver({ client = 'kafkajs', ...options }: KafkaDriverOptions & { readonly client?: KafkaClientName }): LogDriver {
  let opened: LogDriver | null = null;
  const opening = libraries[client]().then((library) => (opened = driverOver(library, options)));
  // Whoever calls first is told.
  opening.catch(() => undefined);
  return {
    name: 'kafka',
    ensureTopics: async (definitions) => (await opening).ensureTopics(definitions),
    append: async (topic, records) => (opened ?? (await opening)).append(topic, records),
    join: async (request, events) => (await opening).join(request, events),
    topics: async () => (await opening).topics(),
    lag: async (group) => (await opening).lag(group),
    clockOffsetMs: () => opened?.clockOffsetMs() ?? null,
    ping: async () => (await opening).ping(),
    close: async () => (await opening).close(),
  };
}
