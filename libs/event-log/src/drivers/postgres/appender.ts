import type { Pool, PoolClient, QueryConfig } from 'pg';
import { LogClosed, LogUnavailable, RecordTooLarge } from '../../errors.js';
import type { LogRecord, Position, StoredRecord } from '../../port.js';
import { encodeHeaders } from './header-bytes.js';

/** What one flush takes at most; a single larger record goes alone. */
const flushLimits = { records: 2_000, bytes: 4 * 1024 * 1024 };
/** Far above what the gateway admits; keeps one record from filling the server's memory several times over. */
const recordLimitBytes = 16 * 1024 * 1024;

export interface Destination {
  readonly topic: string;
  readonly topicId: number;
  readonly partition: number;
}

export type OnDurable = (records: readonly StoredRecord[]) => void;

/**
 * Appends of all callers, one flush in flight: what comes meanwhile goes into the next one, so load makes batches and idleness costs no wait.
 * P1: an append resolves after the commit of its flush.
 */
export class Appender {
  private queue: Waiting[] = [];
  private isFlushing = false;
  private isClosed = false;

  constructor(
    private readonly pool: Pick<Pool | PoolClient, 'query'>,
    /** Told of each partition's new records, offsets rising, once they are durable. */
    private readonly onDurable: OnDurable,
  ) {}

  append(records: readonly LogRecord[], destinations: readonly Destination[]): Promise<readonly Position[]> {
    if (this.isClosed) return Promise.reject(LogClosed.because('appending'));
    const prepared = records.map((record) => ({ record, headers: encodeHeaders(record.headers) }));
    const bytes = prepared.map(sizeOf);
    const largest = Math.max(...bytes);
    if (largest > recordLimitBytes) return Promise.reject(RecordTooLarge.because(`${largest} bytes; the limit is ${recordLimitBytes}`));
    return new Promise((resolve, reject) => {
      this.queue.push({ prepared, destinations, bytes: bytes.reduce((sum, size) => sum + size, 0), resolve, reject });
      // A turn of grace: all appends of this turn share the flush.
      if (!this.isFlushing) queueMicrotask(() => void this.run());
    });
  }

  close(): void {
    this.isClosed = true;
  }

  private async run(): Promise<void> {
    if (this.isFlushing) return;
    this.isFlushing = true;
    while (this.queue.length > 0) {
      const batch = this.take();
      try {
        await this.flush(batch);
      } catch (error) {
        // Whether it was committed is not known: the caller repeats, readers recognise the repetition.
        for (const waiting of batch) waiting.reject(LogUnavailable.from(error, `appending ${waiting.prepared.length} records to ${waiting.destinations[0]?.topic}`));
      }
    }
    this.isFlushing = false;
  }

  private take(): Waiting[] {
    let count = 0;
    let records = 0;
    let bytes = 0;
    for (const waiting of this.queue) {
      if (count > 0 && (records + waiting.prepared.length > flushLimits.records || bytes + waiting.bytes > flushLimits.bytes)) break;
      count += 1;
      records += waiting.prepared.length;
      bytes += waiting.bytes;
    }
    return this.queue.splice(0, count);
  }

  private async flush(batch: readonly Waiting[]): Promise<void> {
    const groups = groupsOf(batch);
    const rows = await this.write(groups);
    const positions = batch.map((waiting): Position[] => new Array<Position>(waiting.prepared.length));
    const stored = groups.map((group, index) => {
      const row = rows[index];
      const baseOffset = BigInt(row?.base_offset ?? 0);
      const appendedAtMs = Number(row?.appended_at_ms);
      return group.entries.map(({ entry, waitingIndex, recordIndex }, place): StoredRecord => {
        const offset = baseOffset + BigInt(place);
        const positionsOfCaller = positions[waitingIndex];
        if (positionsOfCaller !== undefined) positionsOfCaller[recordIndex] = { partition: group.destination.partition, offset };
        const { key, value, headers } = entry.record;
        return { topic: group.destination.topic, partition: group.destination.partition, offset, appendedAtMs, key, value, headers };
      });
    });
    batch.forEach((waiting, index) => waiting.resolve(positions[index] ?? []));
    for (const records of stored) this.onDurable(records);
  }

  private async write(groups: readonly Group[]): Promise<readonly Taken[]> {
    const [group] = groups;
    const [single] = group?.entries ?? [];
    if (group !== undefined && single !== undefined && groups.length === 1 && group.entries.length === 1) {
      const { rows } = await this.pool.query<Taken>(appendOne(group.destination, single.entry));
      // None: a new hour begins, which takes the function.
      if (rows.length > 0) return rows;
    }
    const { rows } = await this.pool.query<Taken>({
      name: 'event_log.append',
      text: 'SELECT base_offset, appended_at_ms FROM event_log.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)',
      values: parametersOf(groups),
    });
    return rows;
  }
}

/**
 * A record on its own, as under light load: the same as the function, in one statement at half its cost.
 * Where somebody else has the counter's lock, both expressions of the time are computed again on the new row.
 */
function appendOne({ topicId, partition }: Destination, entry: Prepared): QueryConfig {
  return {
    name: 'event_log.append-one',
    text: `WITH counter AS (
       UPDATE event_log.partitions
          SET next_offset = next_offset + 1, bytes = bytes + $6, appended_at_ms = greatest(appended_at_ms, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint)
        WHERE topic_id = $1 AND partition = $2 AND hour >= floor(extract(epoch FROM clock_timestamp()) / 3600)::int
    RETURNING next_offset - 1 AS taken, appended_at_ms, hour)
     INSERT INTO event_log.records (topic_id, partition, "offset", hour, appended_at_ms, key, headers, value)
     SELECT $1, $2, taken, hour, appended_at_ms, $3, $4, $5 FROM counter
     RETURNING "offset" AS base_offset, appended_at_ms`,
    values: [topicId, partition, entry.record.key, entry.headers, entry.record.value, sizeOf(entry)],
  };
}

/** What the server says of each group. */
interface Taken {
  readonly base_offset: string;
  readonly appended_at_ms: string;
}

interface Prepared {
  readonly record: LogRecord;
  readonly headers: Buffer;
}

interface Waiting {
  readonly prepared: readonly Prepared[];
  readonly destinations: readonly Destination[];
  readonly bytes: number;
  readonly resolve: (positions: readonly Position[]) => void;
  readonly reject: (error: unknown) => void;
}

interface Group {
  readonly destination: Destination;
  readonly entries: { readonly entry: Prepared; readonly waitingIndex: number; readonly recordIndex: number }[];
}

/** Records by partition, callers in the order they came; partitions sorted, so that two flushes never lock them crosswise. */
function groupsOf(batch: readonly Waiting[]): Group[] {
  const groups = new Map<string, Group>();
  batch.forEach(({ prepared, destinations }, waitingIndex) => {
    prepared.forEach((entry, recordIndex) => {
      const destination = destinations[recordIndex];
      if (destination === undefined) return;
      const id = `${destination.topicId}/${destination.partition}`;
      const group = groups.get(id) ?? { destination, entries: [] };
      groups.set(id, group);
      group.entries.push({ entry, waitingIndex, recordIndex });
    });
  });
  return [...groups.values()].sort((a, b) => a.destination.topicId - b.destination.topicId || a.destination.partition - b.destination.partition);
}

/** All bytes travel as one binary parameter; arrays of bytea would be sent as hexadecimal text. */
function parametersOf(groups: readonly Group[]): unknown[] {
  const columns = { group: [] as number[], index: [] as number[], start: [] as number[], key: [] as number[], headers: [] as number[], value: [] as number[] };
  const groupBytes: number[] = [];
  const pieces: Buffer[] = [];
  let start = 0;
  for (const [position, { entries }] of groups.entries()) {
    const before = start;
    for (const [index, { entry }] of entries.entries()) {
      const { key, value } = entry.record;
      columns.group.push(position + 1);
      columns.index.push(index);
      columns.start.push(start);
      columns.key.push(key?.length ?? -1);
      columns.headers.push(entry.headers.length);
      columns.value.push(value?.length ?? -1);
      pieces.push(key ?? empty, entry.headers, value ?? empty);
      start += sizeOf(entry);
    }
    groupBytes.push(start - before);
  }
  return [
    groups.map(({ destination }) => destination.topicId),
    groups.map(({ destination }) => destination.partition),
    groups.map(({ entries }) => entries.length),
    groupBytes,
    columns.group,
    columns.index,
    columns.start,
    columns.key,
    columns.headers,
    columns.value,
    Buffer.concat(pieces, start),
  ];
}

const empty = Buffer.alloc(0);

function sizeOf({ record, headers }: Prepared): number {
  return (record.key?.length ?? 0) + headers.length + (record.value?.length ?? 0);
}
