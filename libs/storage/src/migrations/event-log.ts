import { eventLogMigrations } from '@trunkline/event-log';
import type { Migration } from '../migration.js';

const firstTimestamp = 1_763_700_050_000;

/** The event log knows its tables; here they get their place in the order, behind the roles they are granted to. */
export const eventLog: readonly Migration[] = eventLogMigrations.map(({ name, sql }, index) => ({ name, timestamp: firstTimestamp + index, statements: [sql] }));
