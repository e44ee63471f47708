import { ConsumerSession } from './consumer-session.js';
import type { KafkaClientLibrary } from './kafka-client.js';
import { KafkajsProducer } from './kafkajs-producer.js';
import { KafkajsQuestions } from './kafkajs-questions.js';

export const kafkajsLibrary: KafkaClientLibrary = {
  openQuestions: (settings) => new KafkajsQuestions(settings),
  openProducer: (settings, topic) => new KafkajsProducer(settings, topic),
  openGroupSession: (settings, options) => new ConsumerSession(settings, options),
};
