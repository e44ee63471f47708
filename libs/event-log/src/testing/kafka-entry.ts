import type { LogDriver } from '../driver.js';
import { createKafkaDriver } from '../drivers/kafka/kafka-driver.js';
import type { KafkaDriverOptions } from '../drivers/kafka/options.js';
import type { Patience } from './harness.js';

export const sessionTimeoutMs = 4_000;
export const appendTimeoutMs: Readonly<Record<Patience, number>> = { patient: 20_000, impatient: 2_000 };

/** How both clients are tested. */
export function kafkaOptions(brokers: string, patience: Patience): KafkaDriverOptions {
  return { brokers: brokers.split(','), sessionTimeoutMs, appendTimeoutMs: appendTimeoutMs[patience], heartbeatIntervalMs: 100, rebalanceTimeoutMs: 10_000, stallAfterMs: 5_000 };
}

/** Opens a driver in the test or in a child process; the argument is the list of brokers. */
export function openDriver(brokers: string, patience: Patience = 'patient'): Promise<LogDriver> {
  return Promise.resolve(createKafkaDriver(kafkaOptions(brokers, patience)));
}
