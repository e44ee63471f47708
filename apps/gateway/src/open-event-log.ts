import { type EventLog, createEventLog, createKafkaDriver, createPostgresDriver } from '@trunkline/event-log';
import type { Databases } from '@trunkline/storage';
import type { GatewayConfig } from './config.js';

/** The event log this configuration names. On Kafka an append gives up before the publisher's answer is due. */
export function openEventLog(config: Pick<GatewayConfig, 'databaseUrl' | 'kafkaBrokers' | 'answerWithinMs'>, databases: Databases): EventLog {
  const driver =
    config.kafkaBrokers.length > 0
      ? createKafkaDriver({ brokers: config.kafkaBrokers, clientId: 'trunkline-gateway', appendTimeoutMs: Math.round(config.answerWithinMs * 0.9) })
      : createPostgresDriver({ pool: databases.log, listenConnectionString: config.databaseUrl });
  return createEventLog(driver);
}
