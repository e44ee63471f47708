import type { LogDriver } from '../driver.js';
import { createKafkaDriver } from '../drivers/kafka/kafka-driver.js';
import { kafkaOptions } from './kafka-entry.js';

/** Opens a driver in the test or in a child process; the argument is the list of brokers. */
export function openDriver(brokers: string): Promise<LogDriver> {
  return Promise.resolve(createKafkaDriver({ ...kafkaOptions(brokers), client: 'platformatic' }));
}
