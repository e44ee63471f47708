import type { LogDriver } from '../driver.js';
import { createKafkaDriver } from '../drivers/kafka/kafka-driver.js';

export const sessionTimeoutMs = 4_000;
export const appendTimeoutMs = 2_000;

/** Opens a driver in the test or in a child process; the argument is the list of brokers. */
export function openDriver(brokers: string): Promise<LogDriver> {
  return Promise.resolve(createKafkaDriver({ brokers: brokers.split(','), sessionTimeoutMs, appendTimeoutMs, heartbeatIntervalMs: 100, rebalanceTimeoutMs: 10_000, stallAfterMs: 5_000 }));
}
