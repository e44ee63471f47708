import { ProtocolError, type heartbeatV4, type joinGroupV9, type leaveGroupV5, type offsetCommitV9, type syncGroupV5 } from '@platformatic/kafka';
import { setTimeout as sleep } from 'node:timers/promises';
import { brokerErrorType } from '../kafka/broker-error.js';
import type { GroupSession, GroupSessionOptions, OffsetsToStore } from '../kafka/kafka-client.js';
import type { Settings } from '../kafka/options.js';
import { within } from '../kafka/within.js';
import { Fetcher } from './fetcher.js';
import { PROTOCOL, assignmentFor, assignmentIn, subscriptionTo } from './round-robin.js';
import { Wire, retryDelayMs } from './wire.js';

interface Membership {
  readonly generation: number;
  readonly memberId: string;
}

/**
 * One member of a group: join, sync, heartbeats, commits. The library has a consumer too; it joins again the moment it hears of a rebalance, repeats a refused commit under the
 * next generation (for partitions that belong to somebody else by then), stores no metadata with an offset and cannot pause a partition. Its requests are used, not its consumer.
 */
export class PlatformaticSession implements GroupSession {
  memberId: string | null;
  lastHeartbeatMs = 0;
  private readonly wire: Wire;
  private readonly fetcher: Fetcher;
  private readonly heartbeatMs: number;
  private membership: Membership | null = null;
  private isCommitting = false;
  /** The group has gone on without this member. */
  private isForgotten = false;
  private isOver = false;
  /** Ends the wait for the next heartbeat early. */
  private wake = (): void => undefined;

  constructor(
    private readonly settings: Settings,
    private readonly options: GroupSessionOptions,
  ) {
    this.memberId = options.inheritedMemberId;
    this.heartbeatMs = Math.min(settings.heartbeatIntervalMs, settings.sessionTimeoutMs / 3);
    // A join is answered when every member has come, which may take the whole rebalance time-out.
    this.wire = new Wire(settings, 'consumer', { requestTimeoutMs: settings.rebalanceTimeoutMs + settings.requestTimeoutMs });
    this.fetcher = new Fetcher(settings, options.group, this.wire, options.events);
  }

  get lastFetchMs(): number {
    return this.fetcher.lastFetchMs;
  }

  async start(): Promise<void> {
    const layouts = await this.persist(() => this.wire.layoutOf(this.options.topics));
    const missing = this.options.topics.filter((topic) => !layouts.has(topic));
    if (missing.length > 0) throw new ProtocolError('UNKNOWN_TOPIC_OR_PARTITION', missing.join(', '));
    void this.live().catch((error: unknown) => this.end(error));
  }

  pause(topic: string, partition: number): void {
    this.fetcher.pause(topic, partition);
  }

  resume(topic: string, partition: number): void {
    this.fetcher.resume(topic, partition);
  }

  async commit(topics: readonly OffsetsToStore[]): Promise<void> {
    const { membership } = this;
    if (membership === null) throw new Error('the consumer is not a member of its group');
    // A commit whose caller stopped waiting may still arrive; none may overtake it, or the older would have the last word.
    if (this.isCommitting) throw new Error('the commit before this one is still unanswered');
    this.isCommitting = true;
    const request = topics.map(({ topic, partitions }) => ({ name: topic, partitions: partitions.map(({ partition, offset, metadata }) => ({ partitionIndex: partition, committedOffset: offset, committedLeaderEpoch: -1, committedMetadata: metadata })) }));
    try {
      for (let failures = 0; ; failures += 1) {
        const error = await this.commitUnder(membership, request);
        if (error === null) return;
        // The next heartbeat hears what has become of the group, or looks for its coordinator.
        this.wake();
        if (brokerErrorType(error) !== null || this.isOver) throw error;
        if (this.membership !== membership) throw new ProtocolError('ILLEGAL_GENERATION');
        // Its connection was cut, by a heartbeat that got no answer for instance. The same commit under the same generation changes nothing more.
        if (failures > 0) throw error;
      }
    } finally {
      this.isCommitting = false;
    }
  }

  async leave(timeoutMs: number): Promise<void> {
    this.isOver = true;
    this.fetcher.stop();
    const { memberId } = this;
    this.membership = null;
    if (memberId !== null) await within(timeoutMs, 'leaving the group', this.sayGoodbye(memberId)).catch(() => undefined);
    this.destroy();
  }

  destroy(): void {
    this.isOver = true;
    this.membership = null;
    this.fetcher.destroy();
    this.wire.destroy();
    this.wake();
  }

  /** From one rebalance to the next, for as long as the session is wanted. */
  private async live(): Promise<void> {
    while (!this.isOver) {
      // What is in hand may still be committed meanwhile, under the generation that ends here.
      await this.options.events.beforeJoin(this.memberId !== null && !this.isForgotten);
      this.membership = null;
      this.isForgotten = false;
      if (this.isOver) return;
      const assignment = await this.persist(() => this.join());
      if (assignment === null || this.isOver) continue;
      this.lastHeartbeatMs = performance.now();
      // The partitions count as held before the first of their records comes.
      this.options.events.joined(assignment);
      this.fetcher.start(assignment);
      await this.beat();
      this.fetcher.stop();
    }
  }

  /** Null when the group began anew meanwhile: what was joined is not valid any more. */
  private async join(): Promise<Readonly<Record<string, readonly number[]>> | null> {
    const { group, topics } = this.options;
    const { sessionTimeoutMs, rebalanceTimeoutMs, instanceId } = this.settings;
    try {
      const coordinator = await this.wire.coordinatorOf(group);
      const protocols = [{ name: PROTOCOL, metadata: subscriptionTo(topics) }];
      const joined = await this.wire.call<joinGroupV9.JoinGroupRequest, joinGroupV9.JoinGroupResponse>('JoinGroup', coordinator, group, sessionTimeoutMs, rebalanceTimeoutMs, this.memberId ?? '', instanceId, 'consumer', protocols, null);
      this.memberId = joined.memberId;
      const dealt = joined.leader === joined.memberId && !joined.skipAssignment ? await this.deal(joined.members.map(({ memberId }) => memberId)) : [];
      const synced = await this.wire.call<syncGroupV5.SyncGroupRequest, syncGroupV5.SyncGroupResponse>('SyncGroup', coordinator, group, joined.generationId, joined.memberId, instanceId, 'consumer', joined.protocolName ?? PROTOCOL, dealt);
      this.membership = { generation: joined.generationId, memberId: joined.memberId };
      return assignmentIn(synced.assignment);
    } catch (error) {
      return this.tookNoteOf(error) ? null : Promise.reject(error);
    }
  }

  private async commitUnder({ generation, memberId }: Membership, request: offsetCommitV9.OffsetCommitRequestTopic[]): Promise<unknown> {
    try {
      const coordinator = await this.wire.coordinatorOf(this.options.group);
      await this.wire.call<offsetCommitV9.OffsetCommitRequest, offsetCommitV9.OffsetCommitResponse>('OffsetCommit', coordinator, this.options.group, generation, memberId, this.settings.instanceId, request);
      return null;
    } catch (error) {
      return error ?? new Error('the commit failed');
    }
  }

  /** By the leader, of as many partitions as there are now. */
  private async deal(members: readonly string[]) {
    const layouts = await this.wire.layoutOf(this.options.topics, { fresh: true });
    return assignmentFor(members, this.options.topics, (topic) => layouts.get(topic)?.leaders.length ?? 0);
  }

  /** Heartbeats until the group wants something else of this member. */
  private async beat(): Promise<void> {
    for (let failures = 0; this.membership !== null; ) {
      await this.untilNext(failures === 0 ? this.heartbeatMs : retryDelayMs(failures));
      const { membership } = this;
      if (membership === null) return;
      const sentAtMs = performance.now();
      try {
        const coordinator = await this.wire.coordinatorOf(this.options.group);
        await within(Math.min(this.settings.requestTimeoutMs, this.settings.sessionTimeoutMs / 3), 'a heartbeat', this.wire.call<heartbeatV4.HeartbeatRequest, heartbeatV4.HeartbeatResponse>('Heartbeat', coordinator, this.options.group, membership.generation, membership.memberId, this.settings.instanceId));
        this.lastHeartbeatMs = sentAtMs;
        failures = 0;
      } catch (error) {
        if (this.tookNoteOf(error)) return;
        if (isFinal(error)) throw error;
        failures += 1;
        this.recover(error);
      }
    }
  }

  /** True when the group has told this member to join again. */
  private tookNoteOf(error: unknown): boolean {
    switch (brokerErrorType(error)) {
      case 'MEMBER_ID_REQUIRED':
        this.memberId = error instanceof Error && 'response' in error ? (error.response as joinGroupV9.JoinGroupResponse).memberId : null;
        return true;
      case 'REBALANCE_IN_PROGRESS':
        return true;
      // Somebody else may hold the partitions already.
      case 'UNKNOWN_MEMBER_ID':
        this.memberId = null;
        this.isForgotten = true;
        return true;
      case 'ILLEGAL_GENERATION':
        this.isForgotten = true;
        return true;
      default:
        return false;
    }
  }

  /** Tries until it works; a refusal that time does not mend ends the session. */
  private async persist<Answer>(attempt: () => Promise<Answer>): Promise<Answer> {
    for (let failures = 0; ; ) {
      try {
        return await attempt();
      } catch (error) {
        failures += 1;
        if (this.isOver || isFinal(error)) throw error;
        this.recover(error);
        await sleep(retryDelayMs(failures));
      }
    }
  }

  private recover(error: unknown): void {
    // No answer at all: the connection may be dead without knowing it.
    if (brokerErrorType(error) === null) this.wire.reconnect();
    else this.wire.forget();
  }

  private async sayGoodbye(memberId: string): Promise<void> {
    const coordinator = await this.wire.coordinatorOf(this.options.group);
    await this.wire.call<leaveGroupV5.LeaveGroupRequest, leaveGroupV5.LeaveGroupResponse>('LeaveGroup', coordinator, this.options.group, [{ memberId, groupInstanceId: this.settings.instanceId }]);
  }

  private untilNext(durationMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, durationMs);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private end(error: unknown): void {
    if (this.isOver) return;
    this.destroy();
    const type = brokerErrorType(error);
    const message = error instanceof Error ? error.message : String(error);
    if (type === 'FENCED_INSTANCE_ID') this.options.events.ended(`another process has joined as ${this.settings.instanceId}; each needs a KAFKA_INSTANCE_ID of its own`);
    else this.options.events.ended(type === null ? message : `${message}: ${type}`);
  }
}

/** What a member is refused for good (`FENCED_INSTANCE_ID`: another process has taken its name); everything else passes when the coordinator has moved, started or loaded. */
function isFinal(error: unknown): boolean {
  return ['FENCED_INSTANCE_ID', 'GROUP_AUTHORIZATION_FAILED', 'TOPIC_AUTHORIZATION_FAILED', 'INCONSISTENT_GROUP_PROTOCOL', 'INVALID_SESSION_TIMEOUT', 'INVALID_GROUP_ID', 'GROUP_MAX_SIZE_REACHED'].includes(brokerErrorType(error) ?? '');
}
