import type { LogRecord, PartitionLag, Position, StoredRecord, TopicDefinition, TopicFigures } from './port.js';

/**
 * What an engine (postgres, kafka) implements; everything else (batches, keys, watermarks, dead letters, back-off) is built once on top of it in `createEventLog`.
 *
 * The life of a member: `join` → `assigned` → `deliver`… → `commit`… → `revoked` → … → `leave`.
 * No callback ever throws or rejects, so an engine needs no handling of handler errors.
 */
export interface LogDriver {
  readonly name: 'postgres' | 'kafka';
  ensureTopics(topics: readonly TopicDefinition[]): Promise<void>;
  /**
   * P1: resolves with one position per record, in order, once all are durable. Records of one key keep their order, also across calls.
   * Rejects with `event_log.unavailable` when any is not surely durable, `event_log.topic_missing` when the topic is unknown. Records arrive checked: keys, values and header values are Buffers.
   */
  append(topic: string, records: readonly LogRecord[]): Promise<readonly Position[]>;
  /** Resolves once the member is known to the group; partitions may be assigned before or after. */
  join(request: JoinRequest, events: MemberEvents): Promise<LogMember>;
  topics(): Promise<readonly TopicFigures[]>;
  lag(group: string): Promise<readonly PartitionLag[]>;
  clockOffsetMs(): number | null;
  ping(): Promise<void>;
  /** Ends everything at once; members that have not left count as killed. */
  close(): Promise<void>;
}

export interface JoinRequest {
  readonly group: string;
  readonly topics: readonly string[];
  /** How many records of one partition the consumer likes to get at once; a hint. */
  readonly fetchRecords: number;
}

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** One partition in the hands of one member. The epoch is larger at each new assignment of the partition as this process sees it; results of an older one are dropped. */
export interface Assignment extends TopicPartition {
  readonly epoch: bigint;
}

export interface CommitPosition extends Assignment {
  /** Offset of the next record to read. */
  readonly next: bigint;
}

export interface MemberEvents {
  /** Before the first record of these partitions. A partition already assigned with an older epoch is replaced. */
  assigned(assignments: readonly Assignment[]): void;
  /**
   * `release`: the group wants them back, and commits are still taken. The consumer takes no new records, waits (bounded) for what is in hand, commits, and resolves;
   * the driver then lets go. It may stop waiting at any time: what comes later is refused by epoch.
   * `lost`: somebody else may hold them already. Resolves at once, commits nothing.
   */
  revoked(partitions: readonly TopicPartition[], how: 'release' | 'lost'): Promise<void>;
  /** Records of one assigned partition, in offset order, without gaps since the last delivery (offsets the log does not show, such as transaction markers, excepted). Ignored when the epoch is not the current one. */
  deliver(assignment: Assignment, records: readonly StoredRecord[]): void;
  /** The engine's consumer died or stalls; all assignments are lost. The driver starts a new one by itself; `health()` of the member says when it is back. */
  crashed(reason: string): void;
}

export interface LogMember {
  readonly sessionTimeoutMs: number;
  /** `performance.now()` of the last heartbeat or lease renewal that succeeded. */
  lastHeartbeatMs(): number;
  health(): { readonly ready: boolean; readonly reason?: string };
  /** Stops `deliver` for these partitions, perhaps after what is already on its way. Partitions not held are ignored; a new assignment starts unpaused. Heartbeats go on. */
  pause(partitions: readonly TopicPartition[]): void;
  resume(partitions: readonly TopicPartition[]): void;
  /**
   * Resolves once all positions are stored. Rejects with `event_log.fenced` when the epoch of any is old (the others are stored; `facts.partitions` lists the refused as `topic/partition`),
   * with `event_log.unavailable` when it is not known. Called by one caller at a time.
   */
  commit(positions: readonly CommitPosition[]): Promise<void>;
  /** Leaves the group so that others take over at once. The consumer has stopped and committed before; `revoked` is not called. */
  leave(): Promise<void>;
}
