import type { LogRecord, StoredRecord } from '../../port.js';
import type { Settings } from './options.js';

/** What a client library does for the log. Everything else about Kafka (lanes, members, epochs, succession, lag) is built once on top of it, in this folder. */
export interface KafkaClientLibrary {
  openQuestions(settings: Settings): ClusterQuestions;
  openProducer(settings: Settings, topic: string): ProducerSession;
  openGroupSession(settings: Settings, options: GroupSessionOptions): GroupSession;
}

/** Questions with somebody waiting for the answer. Each answers or rejects within `requestTimeoutMs`, and one that fails leaves the next unharmed. */
export interface ClusterQuestions {
  topicNames(): Promise<readonly string[]>;
  /** Of those that exist. */
  partitionCounts(topics: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** Resolves when the topics can be written to; one that another process has created meanwhile is left as it is. */
  createTopics(topics: readonly TopicToCreate[]): Promise<void>;
  topicSettings(topics: readonly string[]): Promise<ReadonlyMap<string, TopicSettings>>;
  /** Settings that are not named stay as they are. */
  setTopics(topics: ReadonlyMap<string, TopicSettings>): Promise<void>;
  /** First and next offset of every partition. The first is read before the next, which is never below it. */
  ends(topics: readonly string[]): Promise<ReadonlyMap<string, readonly PartitionEnds[]>>;
  /** Bytes on the brokers' disks; null where the library cannot ask. */
  sizes(topics: readonly string[]): Promise<ReadonlyMap<string, bigint> | null>;
  /** The append time of the first record at or after an offset; null when there is none yet. */
  appendTimeAt(topic: string, partition: number, offset: bigint): Promise<number | null>;
  groupNames(): Promise<readonly string[]>;
  describeGroups(names: readonly string[]): Promise<ReadonlyMap<string, DescribedGroup>>;
  /** Everything the group has stored. */
  committed(group: string): Promise<readonly StoredOffset[]>;
  /** As no member (generation −1): the broker takes it only while the group has no members. */
  storeOffsets(group: string, topics: readonly OffsetsToStore[]): Promise<void>;
  deleteGroups(names: readonly string[]): Promise<void>;
  ping(): Promise<void>;
  close(): void;
}

export type TopicSettings = Readonly<Record<string, string>>;

export interface TopicToCreate {
  readonly name: string;
  readonly partitions: number;
  readonly settings: TopicSettings;
}

export interface PartitionEnds {
  readonly partition: number;
  readonly begin: bigint;
  readonly end: bigint;
}

export interface DescribedGroup {
  readonly members: number;
  /** What its members subscribe to; empty while the group rebalances. */
  readonly topics: readonly string[];
}

export interface StoredOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly metadata: string | null;
}

export interface OffsetsToStore {
  readonly topic: string;
  readonly partitions: readonly { readonly partition: number; readonly offset: bigint; readonly metadata: string }[];
}

/** An idempotent producer with at most one send in flight. */
export interface ProducerSession {
  /**
   * Resolves when the broker has answered for all of these (P1), having repeated them under the same sequence numbers for as long as it did not answer.
   * After a rejection the session is destroyed and never used again.
   */
  send(records: readonly RecordToSend[]): Promise<readonly SentPartition[]>;
  /** Ends a send that is under way; nothing of it leaves this process later. */
  destroy(): void;
}

export interface RecordToSend {
  readonly record: LogRecord;
  readonly partition: number;
}

export interface SentPartition {
  readonly partition: number;
  /** Of the first record sent to it. */
  readonly baseOffset: bigint;
  readonly appendedAtMs: number | null;
}

export interface GroupSessionOptions {
  readonly group: string;
  readonly topics: readonly string[];
  /** Of the session before this one: the broker takes the new one for it, instead of waiting for the old one's time-out. */
  readonly inheritedMemberId: string | null;
  readonly events: GroupSessionEvents;
}

export interface GroupSessionEvents {
  /** Awaited before the member joins (again). `isMember` is false when the group has already forgotten it. */
  beforeJoin(isMember: boolean): Promise<void>;
  joined(assignment: Readonly<Record<string, readonly number[]>>): void;
  /** The session goes on at the offset after the last record. */
  records(topic: string, partition: number, records: readonly StoredRecord[]): void;
  ended(reason: string): void;
}

/** One member of a group from its first join to its end. It never starts anew by itself. */
export interface GroupSession {
  readonly memberId: string | null;
  /** Monotonic; counted from when the heartbeat was sent. */
  readonly lastHeartbeatMs: number;
  readonly lastFetchMs: number;
  /** Rejects when the topics are unknown or the broker cannot be reached; afterwards `joined` or `ended` is called. */
  start(): Promise<void>;
  pause(topic: string, partition: number): void;
  resume(topic: string, partition: number): void;
  /** Under the generation of the last `joined`, and never repeated under a later one. */
  commit(topics: readonly OffsetsToStore[]): Promise<void>;
  /** Leaves the group when the broker answers in time; in any case nothing of this session is left. */
  leave(timeoutMs: number): Promise<void>;
  /** As if killed: the group learns of it when the session times out. */
  destroy(): void;
}
