import type { LogDriver } from '../../driver.js';
import { driverOver } from '../kafka/driver-over.js';
import type { KafkaClientLibrary } from '../kafka/kafka-client.js';
import type { KafkaDriverOptions } from '../kafka/options.js';
import { PlatformaticProducer } from './producer.js';
import { PlatformaticQuestions } from './questions.js';
import { PlatformaticSession } from './session.js';

export const platformaticLibrary: KafkaClientLibrary = {
  openQuestions: (settings) => new PlatformaticQuestions(settings),
  openProducer: (settings, topic) => new PlatformaticProducer(settings, topic),
  openGroupSession: (settings, options) => new PlatformaticSession(settings, options),
};

/** The log on Apache Kafka, through @platformatic/kafka. */
export function createPlatformaticDriver(options: KafkaDriverOptions): LogDriver {
  return driverOver(platformaticLibrary, options);
}
