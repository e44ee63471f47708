import { defineError } from '@trunkline/contracts';

export const LogUnavailable = defineError('event_log.unavailable', {
  class: 'unavailable',
  http: 503,
  title: 'The event log is not reachable, or has not confirmed that the records are durable',
  fix: 'Check that the database or broker runs (`trunkline doctor`), then repeat the call; a repeated record is recognised by its id.',
});

export const TopicMissing = defineError('event_log.topic_missing', {
  class: 'bug',
  http: 500,
  title: 'The topic does not exist',
  fix: 'Add the topic to the registry in libs/contracts; services create what is missing when they start.',
});

export const TopicMismatch = defineError('event_log.topic_mismatch', {
  class: 'usage',
  http: 409,
  title: 'The topic exists with another number of partitions than declared',
  fix: 'Partitions are never removed, since keys would change their place: declare at least the number that exists, or use a fresh topic.',
});

/** A commit of somebody who no longer holds the partition. `facts.partitions` names them as `topic/partition`. */
export const Fenced = defineError('event_log.fenced', {
  class: 'conflict',
  http: 409,
  title: 'The partition now belongs to another member of the group',
  fix: 'Nothing: its new owner reads on from the last commit.',
});

export const GroupRetired = defineError('event_log.group_retired', {
  class: 'conflict',
  http: 409,
  title: 'The group reads another list of topics now',
  fix: 'Restart this process with the version that is running elsewhere.',
});

export const RecordInvalid = defineError('event_log.record_invalid', {
  class: 'data',
  http: 422,
  title: 'The log cannot take this record',
  fix: 'Key, value and header values are Buffers, or null for key and value; header names are not empty.',
});

export const RecordTooLarge = defineError('event_log.record_too_large', {
  class: 'data',
  http: 413,
  title: 'The record is larger than the log takes',
  fix: 'Send less data in one record; events are limited to 256 KB at the gateway.',
});

export const LogClosed = defineError('event_log.closed', {
  class: 'unavailable',
  http: 503,
  title: 'The event log of this process is closed',
  fix: 'The process is shutting down: repeat the call against another one.',
});

export const OutcomesIncomplete = defineError('event_log.outcomes_incomplete', {
  class: 'bug',
  http: 500,
  title: 'A batch handler did not answer with one outcome per record',
  fix: 'Return the outcomes in the order of the records; the batch is repeated until then.',
});

export const DeadLetterLoop = defineError('event_log.dead_letter_loop', {
  class: 'bug',
  http: 500,
  title: 'A record of the dead letters was dead-lettered again',
  fix: 'The consumer of dead-letters stores records without reading them; it must not refuse one.',
});
