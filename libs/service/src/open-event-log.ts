import { type EventLog, createEventLog, createKafkaDriver, createPostgresDriver } from '@trunkline/event-log';
import type { Databases } from '@trunkline/storage';
import { address, list, optional } from './config.js';

/** The two variables by which every app finds database and event log. */
export const eventLogSchema = {
  databaseUrl: address('DATABASE_URL', 'PostgreSQL', ['postgres', 'postgresql']),
  kafkaBrokers: optional(list('KAFKA_BROKERS', 'Kafka brokers; not set: the event log lives in PostgreSQL', /^[^\s:]+:\d+$/), [] as readonly string[]),
};

export interface EventLogAddress {
  readonly databaseUrl: string;
  readonly kafkaBrokers: readonly string[];
}

/** The event log this configuration names. `appendTimeoutMs`: when an append on Kafka gives up; PostgreSQL's own time-outs bound the other. */
export function openEventLog(app: string, config: EventLogAddress, databases: Pick<Databases, 'log'>, appendTimeoutMs?: number): EventLog {
  const driver =
    config.kafkaBrokers.length > 0
      ? createKafkaDriver({ brokers: config.kafkaBrokers, clientId: `trunkline-${app}`, ...(appendTimeoutMs === undefined ? {} : { appendTimeoutMs }) })
      : createPostgresDriver({ pool: databases.log, listenConnectionString: config.databaseUrl });
  return createEventLog(driver);
}
