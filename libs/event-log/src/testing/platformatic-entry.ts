import type { LogDriver } from '../driver.js';
import { createKafkaDriver } from '../drivers/kafka/kafka-driver.js';
import type { Patience } from './harness.js';
import { kafkaOptions } from './kafka-entry.js';

/** Opens a driver in the test or in a child process; the argument is the list of brokers. */
export function openDriver(brokers: string, patience: Patience = 'patient'): Promise<LogDriver> {
  return Promise.resolve(createKafkaDriver({ ...kafkaOptions(brokers, patience), client: 'platformatic' }));
}
