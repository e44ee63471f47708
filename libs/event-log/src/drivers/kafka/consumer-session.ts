/**
 * One kafkajs consumer from its first join to its end. It tells its member what happens and never restarts by itself: kafkajs restarts on some errors, dies silently on others.
 * kafkajs never sees an error of ours (a TypeError would end it for good, any other would re-read the same record for ever).
 */
import { PartitionAssigners, type Consumer, type EachBatchPayload, type PartitionAssigner } from 'kafkajs';
import { createClient, type KafkaClient } from './client.js';
import type { GroupSession, GroupSessionEvents, GroupSessionOptions, OffsetsToStore } from './kafka-client.js';
import type { ConsumerGroup, ReleasingAssigner } from './kafkajs-patches.js';
import type { Settings } from './options.js';
import { fromMessage } from './wire.js';
import { within } from './within.js';

const MAX_FETCH_BYTES = 8 * 1024 * 1024;

export class ConsumerSession implements GroupSession {
  /** Monotonic. */
  lastHeartbeatMs = 0;
  lastFetchMs = performance.now();
  memberId: string | null = null;
  private readonly client: KafkaClient;
  private readonly consumer: Consumer;
  private group: ConsumerGroup | null = null;
  private heartbeatTookMs = 0;
  private isOver = false;
  private isCommitting = false;
  private committingSinceMs = 0;

  private readonly topics: readonly string[];
  private readonly requestTimeoutMs: number;
  private readonly events: GroupSessionEvents;
  private inheritedMemberId: string | null;

  constructor(settings: Settings, { group, topics, events, inheritedMemberId }: GroupSessionOptions) {
    this.topics = topics;
    this.requestTimeoutMs = settings.requestTimeoutMs;
    this.events = events;
    this.inheritedMemberId = inheritedMemberId;
    this.client = createClient(settings, 'consumer');
    this.consumer = this.client.kafka.consumer({
      groupId: group,
      sessionTimeout: settings.sessionTimeoutMs,
      rebalanceTimeout: settings.rebalanceTimeoutMs,
      heartbeatInterval: Math.min(settings.heartbeatIntervalMs, settings.sessionTimeoutMs / 3),
      minBytes: 1,
      maxBytes: MAX_FETCH_BYTES,
      maxBytesPerPartition: 1024 * 1024,
      maxWaitTimeInMs: settings.fetchWaitMs,
      allowAutoTopicCreation: false,
      partitionAssigners: [this.releasingAssigner()],
      retry: { restartOnFailure: () => Promise.resolve(false) },
    });
    this.listen();
  }

  /** Rejects when the topics are unknown or the broker cannot be reached; afterwards `joined` or `ended` is called. */
  async start(): Promise<void> {
    await this.consumer.connect();
    await this.consumer.subscribe({ topics: [...this.topics], fromBeginning: true });
    await this.consumer.run({ autoCommit: false, eachBatchAutoResolve: false, partitionsConsumedConcurrently: 1, eachBatch: (payload) => this.takeBatch(payload) });
  }

  pause(topic: string, partition: number): void {
    if (this.group !== null && !this.isOver) this.consumer.pause([{ topic, partitions: [partition] }]);
  }

  resume(topic: string, partition: number): void {
    if (this.group !== null && !this.isOver) this.consumer.resume([{ topic, partitions: [partition] }]);
  }

  /** Not `consumer.commitOffsets`: that repeats a refused commit, after a rebalance under the next generation, for partitions that belong to somebody else by then. */
  async commit(topics: readonly OffsetsToStore[]): Promise<void> {
    if (this.group === null || this.isOver) throw new Error('the consumer is not a member of its group');
    // A commit whose caller stopped waiting may still arrive; none may overtake it, or the older would have the last word.
    if (this.isCommitting) throw this.unanswered();
    this.isCommitting = true;
    this.committingSinceMs = performance.now();
    try {
      await this.group.commitOffsets({ topics: topics.map(({ topic, partitions }) => ({ topic, partitions: partitions.map((one) => ({ ...one, offset: String(one.offset) })) })) });
    } finally {
      this.isCommitting = false;
    }
  }

  /** Leaves the group when the broker answers in time; in any case nothing of this consumer is left. */
  async leave(timeoutMs: number): Promise<void> {
    this.isOver = true;
    await within(timeoutMs, 'leaving the group', this.consumer.disconnect()).catch(() => undefined);
    this.client.destroy();
  }

  /** As if killed: the group learns of it when the session times out. */
  destroy(): void {
    this.isOver = true;
    this.client.destroy();
    // Ends kafkajs's loops; without sockets it cannot tell the group.
    this.consumer.disconnect().catch(() => undefined);
  }

  private listen(): void {
    const { events } = this.consumer;
    this.consumer.on(events.REQUEST, ({ payload }) => {
      if (payload.apiName === 'Heartbeat') this.heartbeatTookMs = payload.duration;
    });
    // Counted from when it was sent: the broker cannot have renewed the session earlier.
    this.consumer.on(events.HEARTBEAT, () => {
      this.lastHeartbeatMs = performance.now() - this.heartbeatTookMs;
    });
    this.consumer.on(events.FETCH, () => {
      this.lastFetchMs = performance.now();
    });
    this.consumer.on(events.GROUP_JOIN, ({ payload }) => {
      this.memberId = payload.memberId;
      this.lastHeartbeatMs = performance.now();
      this.lastFetchMs = performance.now();
      // Pauses outlive an assignment in kafkajs; here a new one starts unpaused.
      this.consumer.resume(this.topics.map((topic) => ({ topic })));
      if (!this.isOver) this.events.joined(payload.memberAssignment);
    });
    this.consumer.on(events.CRASH, ({ payload }) => this.end(payload.error.message));
  }

  private end(reason: string): void {
    if (this.isOver) return;
    this.destroy();
    this.events.ended(reason);
  }

  /** A request that kafkajs has lost together with its connection is never answered, and would be the last commit of this session. */
  private unanswered(): Error {
    const reason = 'the commit before this one is still unanswered';
    if (performance.now() - this.committingSinceMs > 2 * this.requestTimeoutMs) this.end(reason);
    return new Error(reason);
  }

  private takeBatch({ batch, resolveOffset }: EachBatchPayload): Promise<void> {
    const last = batch.messages.at(-1);
    if (this.isOver || last === undefined) return Promise.resolve();
    this.events.records(batch.topic, batch.partition, batch.messages.map((message) => fromMessage(batch.topic, batch.partition, message)));
    resolveOffset(last.offset);
    return Promise.resolve();
  }

  private releasingAssigner(): PartitionAssigner {
    return (context): ReleasingAssigner => ({
      ...PartitionAssigners.roundRobin(context),
      beforeJoin: async (group) => {
        this.group = group;
        group.memberId ??= this.inheritedMemberId;
        this.inheritedMemberId = null;
        if (!this.isOver) await this.events.beforeJoin(group.memberId !== null);
      },
      joinFailed: (error) => this.end(`it was not let into its group: ${error instanceof Error ? error.message : String(error)}`),
    });
  }
}
