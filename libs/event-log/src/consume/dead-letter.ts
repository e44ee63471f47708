import { DeadLetterLoop } from '../errors.js';
import type { Header, LogRecord, RecordOutcome, StoredRecord } from '../port.js';

export const deadLetterTopic = 'dead-letters';

/** Names of the headers a dead letter carries behind its own; all values are text. */
export const deadLetterHeaders = {
  topic: 'x-dlq-topic',
  partition: 'x-dlq-partition',
  offset: 'x-dlq-offset',
  /** Append time of the original record, epoch ms. */
  appendedAt: 'x-dlq-appended-at',
  code: 'x-dlq-code',
  reason: 'x-dlq-reason',
  group: 'x-dlq-group',
  /** When it was dead-lettered, epoch ms. */
  time: 'x-dlq-time',
} as const;

/** The records to append to `dead-letters` before the offsets of these records are passed; key, value and headers stay as they were. */
export function deadLettersOf(records: readonly StoredRecord[], outcomes: readonly RecordOutcome[], group: string, nowMs: number): LogRecord[] {
  return records.flatMap((record, index) => {
    const outcome = outcomes[index];
    if (outcome?.kind !== 'dead-letter') return [];
    if (record.topic === deadLetterTopic) throw DeadLetterLoop.because(`offset ${record.offset} of partition ${record.partition}: ${outcome.code}, ${outcome.reason}`);
    const added: readonly [string, string][] = [
      [deadLetterHeaders.topic, record.topic],
      [deadLetterHeaders.partition, String(record.partition)],
      [deadLetterHeaders.offset, String(record.offset)],
      [deadLetterHeaders.appendedAt, String(record.appendedAtMs)],
      [deadLetterHeaders.code, outcome.code],
      [deadLetterHeaders.reason, outcome.reason],
      [deadLetterHeaders.group, group],
      [deadLetterHeaders.time, String(nowMs)],
    ];
    return [{ key: record.key, value: record.value, headers: [...record.headers, ...added.map(([name, value]): Header => [name, Buffer.from(value)])] }];
  });
}
