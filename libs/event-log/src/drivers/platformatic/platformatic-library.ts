import type { KafkaClientLibrary } from '../kafka/kafka-client.js';
import { PlatformaticProducer } from './producer.js';
import { PlatformaticQuestions } from './questions.js';
import { PlatformaticSession } from './session.js';

export const platformaticLibrary: KafkaClientLibrary = {
  openQuestions: (settings) => new PlatformaticQuestions(settings),
  openProducer: (settings, topic) => new PlatformaticProducer(settings, topic),
  openGroupSession: (settings, options) => new PlatformaticSession(settings, options),
};
