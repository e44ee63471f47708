import type { LogDriver } from '../../driver.js';
import { driverOver } from './driver-over.js';
import { kafkajsLibrary } from './kafkajs-library.js';
import type { KafkaDriverOptions } from './options.js';

/** The log on Apache Kafka, through kafkajs. */
export function createKafkaDriver(options: KafkaDriverOptions): LogDriver {
  return driverOver(kafkajsLibrary, options);
}
