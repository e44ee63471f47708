import { type EventLog, createEventLog, createPostgresDriver } from '@trunkline/event-log';
import type { Databases } from '@trunkline/storage';

/** The event log this configuration names. */
export function openEventLog(config: { readonly databaseUrl: string; readonly kafkaBrokers: readonly string[] }, databases: Databases): EventLog {
  return createEventLog(createPostgresDriver({ pool: databases.log, listenConnectionString: config.databaseUrl }));
}
