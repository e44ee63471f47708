import type { LogDriver } from '../driver.js';
import { createKafkaDriver } from '../drivers/kafka/kafka-driver.js';
import type { KafkaDriverOptions } from '../drivers/kafka/options.js';

export const sessionTimeoutMs = 4_000;
export const appendTimeoutMs = 2_000;

/** How both clients are tested. */
export function kafkaOptions(brokers: string): KafkaDriverOptions {
  return { brokers: brokers.split(','), sessionTimeoutMs, appendTimeoutMs, heartbeatIntervalMs: 100, rebalanceTimeoutMs: 10_000, stallAfterMs: 5_000 };
}

/** Opens a driver in the test or in a child process; the argument is the list of brokers. */
export function openDriver(brokers: string): Promise<LogDriver> {
  return Promise.resolve(createKafkaDriver(kafkaOptions(brokers)));
}
