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
