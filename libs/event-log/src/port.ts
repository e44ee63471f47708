/**
 * The one door to the append-only, partitioned, consumer-group log. Drivers live in `drivers/`; all pass the same conformance suite.
 * Times are epoch milliseconds; offsets are bigint; keys, values and header values are bytes that no driver interprets.
 */
export type Header = readonly [name: string, value: Buffer];

export interface LogRecord {
  /** Decides the partition; null spreads records. */
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** In order, names may repeat. */
  readonly headers: readonly Header[];
}

export interface StoredRecord extends LogRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  /** When the log took it: Kafka's LogAppendTime, or the database clock after the partition's counter row was locked. */
  readonly appendedAtMs: number;
}

export interface TopicDefinition {
  readonly name: string;
  readonly partitions: number;
  readonly retentionMs: number;
}

/** What became of one record. Anything but a throw means: durably taken care of, so its offset may be passed (P3). */
export type RecordOutcome =
  | { readonly kind: 'done' }
  /** Held in a row until a time; the row, not the log, brings it back. */
  | { readonly kind: 'deferred'; readonly untilMs: number; readonly reason: string }
  /** Held in a row until somebody acts. */
  | { readonly kind: 'parked'; readonly reason: string }
  /** The consumer appends it, bytes and headers unchanged, to `dead-letters` before its offset is passed. */
  | { readonly kind: 'dead-letter'; readonly code: string; readonly reason: string };

export interface Position {
  readonly partition: number;
  readonly offset: bigint;
}

interface ConsumeBase {
  readonly group: string;
  /** All members of a group name the same topics. */
  readonly topics: readonly string[];
}

/** Everything waiting, of all partitions, folded into one call; one call in flight at a time; nothing waits when idle. */
export interface BatchConsumer extends ConsumeBase {
  readonly mode: 'batch';
  readonly maxRecords: number;
  /** One outcome per record, same order. A rejection means "try the same records again, later": nothing is passed. */
  handleBatch(records: readonly StoredRecord[]): Promise<readonly RecordOutcome[]>;
}

/** Records of one key in order, different keys at once, at most `maxInFlight`; the gap between committed and finished is bounded, then the partition pauses. */
export interface PerKeyConsumer extends ConsumeBase {
  readonly mode: 'per-key';
  readonly maxInFlight: number;
  /** Order is kept within one answer of this function. */
  orderingKey(record: StoredRecord): string;
  handleRecord(record: StoredRecord): Promise<RecordOutcome>;
}

export interface Consumption {
  /** False while the driver's consumer is crashed, stalled or not yet joined; `reason` says which. */
  health(): { readonly ready: boolean; readonly reason?: string };
  /** Last time a heartbeat (or lease renewal) of this member succeeded, monotonic clock (`performance.now()`); a worker starts no call when it is older than half the session time-out. */
  lastHeartbeatMs(): number;
  readonly sessionTimeoutMs: number;
  pause(topics: readonly string[]): void;
  resume(topics: readonly string[]): void;
  /** Stops intake, waits (bounded by `graceMs`) for what is in hand, commits, leaves the group. */
  stop(graceMs: number): Promise<void>;
}

export interface PartitionLag {
  readonly topic: string;
  readonly partition: number;
  readonly endOffset: bigint;
  /** Next offset the group will read; the begin offset where it never committed. */
  readonly committed: bigint;
  readonly lag: bigint;
  /** Append time of the oldest record the group has not committed; null when it has read everything. */
  readonly oldestUnreadAtMs: number | null;
}

export interface TopicFigures {
  readonly topic: string;
  readonly partitions: number;
  readonly records: bigint;
  readonly bytes: bigint | null;
}

export interface EventLog {
  readonly driver: 'postgres' | 'kafka';
  /** Creates what is missing; refuses a topic that exists with fewer partitions than declared. */
  ensureTopics(topics: readonly TopicDefinition[]): Promise<void>;
  /** Resolves once every record is durable (P1), in order per key. Rejects with `event_log.unavailable` when any is not surely durable. */
  append(topic: string, records: readonly LogRecord[]): Promise<readonly Position[]>;
  consume(consumer: BatchConsumer | PerKeyConsumer): Promise<Consumption>;
  topics(): Promise<readonly TopicFigures[]>;
  lag(group: string): Promise<readonly PartitionLag[]>;
  /** Offset of the log's clock to this process's `Date.now()`, measured; null where unknown. */
  clockOffsetMs(): number | null;
  /** Resolves when the log answers; rejects with the reason otherwise. */
  ping(): Promise<void>;
  close(): Promise<void>;
}
