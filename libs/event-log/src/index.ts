export type * from './port.js';
export type { Assignment, CommitPosition, JoinRequest, LogDriver, LogMember, MemberEvents, TopicPartition } from './driver.js';
export {
  DeadLetterLoop,
  Fenced,
  GroupRetired,
  LogClosed,
  LogUnavailable,
  OutcomesIncomplete,
  RecordInvalid,
  RecordTooLarge,
  TopicMismatch,
  TopicMissing,
} from './errors.js';
export { deadLetterHeaders } from './consume/dead-letter.js';
export { systemTiming, type Timing } from './consume/timing.js';
export { createEventLog, type EventLogOptions } from './event-log.js';
export { partitionOf } from './partitioner.js';
export { createPostgresDriver, type PostgresDriver, type PostgresDriverOptions } from './drivers/postgres/driver.js';
export { eventLogMigrations, migrateEventLog } from './drivers/postgres/migrations.js';
export { createKafkaDriver, type KafkaClientName } from './drivers/kafka/kafka-driver.js';
export type { KafkaDriverOptions } from './drivers/kafka/options.js';
export { SEGMENT_MS as kafkaSegmentMs } from './drivers/kafka/topics.js';
