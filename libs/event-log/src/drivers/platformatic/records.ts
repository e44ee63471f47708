/** Records to the library's messages and back, byte for byte. */
import { IS_CONTROL, IS_TRANSACTIONAL, type fetchV17, type KafkaRecord, type MessageRecord, type RecordsBatch } from '@platformatic/kafka';
import type { Header, LogRecord, StoredRecord } from '../../port.js';

/** Attributes of a batch, bit 3: the broker's append time stands in `maxTimestamp` and counts for every record. The library's own consumer does not look at it. */
const LOG_APPEND_TIME = 1 << 3;

/** Names are Buffers, each an object of its own, so that a name may come twice in the map the library takes. */
export function toMessage(topic: string, partition: number, { key, value, headers }: LogRecord): MessageRecord {
  const entries = headers.map(([name, bytes]) => [Buffer.from(name), bytes] as const);
  // The declared type of a value leaves out null, which the encoder knows.
  return { topic, partition, key: key ?? undefined, value: value as Buffer, headers: new Map(entries) };
}

export interface ReadPartition {
  readonly records: readonly StoredRecord[];
  /** Offset after everything that was read, markers of transactions included. */
  readonly next: bigint;
}

/** What a fetch brought of one partition, from an offset on; records of aborted transactions are left out. */
export function readPartition(topic: string, { partitionIndex, records, abortedTransactions }: fetchV17.FetchResponsePartition, from: bigint): ReadPartition {
  const aborted = (abortedTransactions ?? []).toSorted((a, b) => Number(a.firstOffset - b.firstOffset));
  const open = new Set<bigint>();
  const stored: StoredRecord[] = [];
  let next = from;
  for (const batch of records ?? []) {
    const end = batch.firstOffset + BigInt(batch.lastOffsetDelta) + 1n;
    if (end > next) next = end;
    while (aborted[0] !== undefined && aborted[0].firstOffset < end) open.add(aborted.shift()?.producerId ?? -1n);
    if (isMarker(batch)) {
      open.delete(batch.producerId);
      continue;
    }
    if ((batch.attributes & IS_TRANSACTIONAL) !== 0 && open.has(batch.producerId)) continue;
    for (const record of batch.records) {
      // A batch comes whole, also when its beginning was read before.
      if (batch.firstOffset + BigInt(record.offsetDelta) >= from) stored.push(toStored(topic, partitionIndex, batch, record));
    }
  }
  return { records: stored, next };
}

function toStored(topic: string, partition: number, batch: RecordsBatch, { offsetDelta, timestampDelta, key, value, headers }: KafkaRecord): StoredRecord {
  const appendedAt = (batch.attributes & LOG_APPEND_TIME) === 0 ? batch.firstTimestamp + timestampDelta : batch.maxTimestamp;
  return {
    topic,
    partition,
    offset: batch.firstOffset + BigInt(offsetDelta),
    appendedAtMs: Number(appendedAt),
    key,
    value,
    headers: headers.map(([name, bytes]): Header => [name?.toString() ?? '', bytes ?? Buffer.alloc(0)]),
  };
}

function isMarker({ attributes }: RecordsBatch): boolean {
  return (attributes & IS_CONTROL) !== 0;
}
