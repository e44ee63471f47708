import type { Assignment, CommitPosition, JoinRequest, LogMember, MemberEvents, TopicPartition } from '../../driver.js';
import { Fenced, GroupRetired, LogUnavailable, TopicMissing } from '../../errors.js';
import type { StoredRecord } from '../../port.js';
import { brokerErrorType } from './broker-error.js';
import { commitMetadata } from './group-name.js';
import type { ClusterQuestions, GroupSession, KafkaClientLibrary, OffsetsToStore } from './kafka-client.js';
import type { Settings } from './options.js';
import { statesOf, type GroupInForce } from './succession.js';
import type { Topics } from './topics.js';
import { StallWatch } from './stall-watch.js';
import { within } from './within.js';

interface Held {
  readonly assignment: Assignment;
  /** Next offset to be delivered; null until the first delivery. */
  position: bigint | null;
  /** Stored by this assignment. */
  committed: bigint | null;
}

const RECREATE_AFTER_MS = [200, 1_000, 3_000, 5_000] as const;

/** A member of a group for as long as its process wants, over as many sessions of the client library as that takes. */
export class KafkaMember implements LogMember {
  private static lastEpoch = 0n;
  private session: GroupSession | null = null;
  private readonly held = new Map<string, Held>();
  private readonly paused = new Set<string>();
  private reason: string | null = 'joining';
  private isOver = false;
  private isRetired = false;
  private memberId: string | null = null;
  private failures = 0;
  private releasedAtMs: number | null = null;
  private recreation: NodeJS.Timeout | null = null;
  private readonly watch: StallWatch;
  private onFirstJoin: ((error: unknown) => void) | null = null;

  constructor(
    private readonly request: JoinRequest,
    private readonly inForce: GroupInForce,
    private readonly events: MemberEvents,
    private readonly settings: Settings,
    private readonly library: Pick<KafkaClientLibrary, 'openGroupSession'>,
    private readonly questions: ClusterQuestions,
    topics: Topics,
    private readonly onOver: () => void,
  ) {
    this.watch = new StallWatch(settings.stallAfterMs, settings.rebalanceTimeoutMs + settings.sessionTimeoutMs, topics, {
      positions: () => [...this.held.values()].map(({ assignment, position }) => ({ ...assignment, position, isPaused: this.paused.has(placeOf(assignment)) })),
      lastFetchMs: () => this.session?.lastFetchMs ?? null,
      withoutPartitionsSinceMs: () => (this.session === null ? null : this.releasedAtMs),
      stalled: (reason) => this.crash(reason),
    });
  }

  get group(): string {
    return this.request.group;
  }

  get topics(): readonly string[] {
    return this.request.topics;
  }

  get sessionTimeoutMs(): number {
    return this.settings.sessionTimeoutMs;
  }

  async join(): Promise<void> {
    const timeoutMs = this.settings.sessionTimeoutMs + this.settings.rebalanceTimeoutMs;
    const firstJoin = new Promise<void>((resolve, reject) => {
      this.onFirstJoin = (error) => (error === null ? resolve() : reject(error instanceof Error ? error : new Error(String(error))));
    });
    try {
      this.startSession();
      await within(timeoutMs, `joining ${this.inForce.name}`, firstJoin);
      this.watch.start();
    } catch (error) {
      // A session left alive would join after all, and hold partitions that nobody reads.
      this.destroy();
      if (brokerErrorType(error) === 'UNKNOWN_TOPIC_OR_PARTITION') throw TopicMissing.from(error, this.request.topics.join(', '));
      throw LogUnavailable.from(error, `joining group ${this.request.group}`);
    } finally {
      this.onFirstJoin = null;
    }
  }

  lastHeartbeatMs(): number {
    return this.session?.lastHeartbeatMs ?? 0;
  }

  health(): { readonly ready: boolean; readonly reason?: string } {
    if (this.reason !== null) return { ready: false, reason: this.reason };
    if (performance.now() - this.lastHeartbeatMs() > this.settings.sessionTimeoutMs) return { ready: false, reason: 'no heartbeat has succeeded within the session time-out' };
    const suspicion = this.watch.suspicion();
    return suspicion === null ? { ready: true } : { ready: false, reason: suspicion };
  }

  pause(partitions: readonly TopicPartition[]): void {
    for (const one of partitions) {
      if (!this.held.has(placeOf(one))) continue;
      this.paused.add(placeOf(one));
      this.session?.pause(one.topic, one.partition);
    }
  }

  resume(partitions: readonly TopicPartition[]): void {
    for (const one of partitions) {
      if (!this.held.has(placeOf(one))) continue;
      this.paused.delete(placeOf(one));
      this.session?.resume(one.topic, one.partition);
    }
  }

  async commit(positions: readonly CommitPosition[]): Promise<void> {
    const mine = positions.filter((one) => this.held.get(placeOf(one))?.assignment.epoch === one.epoch);
    const refused = positions.filter((one) => !mine.includes(one));
    // P3: within an assignment the committed offset never goes back, in whatever order commits are asked for.
    const newer = mine.filter((one) => one.next > (this.held.get(placeOf(one))?.committed ?? -1n));
    if (newer.length > 0) await this.store(newer);
    if (refused.length > 0) throw fenced(this.request.group, refused);
  }

  async leave(): Promise<void> {
    const session = this.session;
    this.end();
    await session?.leave(LEAVE_WITHIN_MS);
  }

  /** As if killed. */
  destroy(): void {
    const session = this.session;
    this.end();
    session?.destroy();
  }

  private async store(positions: readonly CommitPosition[]): Promise<void> {
    const metadata = commitMetadata(this.inForce.epoch);
    const topics: readonly OffsetsToStore[] = [...Map.groupBy(positions, ({ topic }) => topic)].map(([topic, list]) => ({ topic, partitions: list.map(({ partition, next }) => ({ partition, offset: next, metadata })) }));
    try {
      if (this.session === null) throw new Error('the consumer is being replaced');
      await within(this.settings.requestTimeoutMs, 'committing', this.session.commit(topics));
      for (const { next, epoch, ...place } of positions) {
        const held = this.held.get(placeOf(place));
        if (held?.assignment.epoch === epoch) held.committed = next;
      }
    } catch (error) {
      // The broker compares generation and member: whoever was frozen past its session is refused here.
      if (['ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID', 'REBALANCE_IN_PROGRESS', 'FENCED_INSTANCE_ID'].includes(brokerErrorType(error) ?? '')) throw fenced(this.request.group, positions, error);
      throw LogUnavailable.from(error, `committing for group ${this.request.group}`);
    }
  }

  private startSession(): void {
    const session: GroupSession = this.library.openGroupSession(this.settings, {
      group: this.inForce.name,
      topics: this.request.topics,
      inheritedMemberId: this.memberId,
      events: {
        beforeJoin: (isMember) => this.release(isMember),
        joined: (assignment) => this.assigned(assignment),
        records: (topic, partition, records) => this.deliver(topic, partition, records),
        ended: (reason) => {
          if (this.session === session) this.crash(reason);
        },
      },
    });
    this.session = session;
    session.start().catch((error: unknown) => {
      if (this.session !== session) return;
      if (this.onFirstJoin !== null && brokerErrorType(error) === 'UNKNOWN_TOPIC_OR_PARTITION') return this.onFirstJoin(error);
      this.crash(error instanceof Error ? error.message : String(error));
    });
  }

  /** Partitions go back: with the group still counting on us, after what is in hand is finished and committed, but never so long that the session ends meanwhile. */
  private async release(isMember: boolean): Promise<void> {
    this.reason ??= 'rebalancing';
    const partitions = [...this.held.values()].map(({ assignment }) => assignment);
    if (partitions.length > 0) {
      const released = this.events.revoked(partitions, isMember ? 'release' : 'lost');
      await within(this.settings.sessionTimeoutMs / 2, 'releasing partitions', released).catch(() => undefined);
    }
    this.held.clear();
    this.paused.clear();
    this.releasedAtMs = performance.now();
    if (!isMember && this.onFirstJoin === null && !this.isOver) await this.verifyInForce();
  }

  private assigned(assignment: Readonly<Record<string, readonly number[]>>): void {
    if (this.isOver) return;
    KafkaMember.lastEpoch += 1n;
    const epoch = KafkaMember.lastEpoch;
    const assignments = Object.entries(assignment).flatMap(([topic, partitions]) => partitions.map((partition): Assignment => ({ topic, partition, epoch })));
    this.held.clear();
    this.paused.clear();
    for (const one of assignments) this.held.set(placeOf(one), { assignment: one, position: null, committed: null });
    this.reason = null;
    this.failures = 0;
    this.releasedAtMs = null;
    this.watch.reset();
    this.onFirstJoin?.(null);
    if (assignments.length > 0) this.events.assigned(assignments);
  }

  private deliver(topic: string, partition: number, records: readonly StoredRecord[]): void {
    const held = this.held.get(placeOf({ topic, partition }));
    const last = records.at(-1);
    if (held === undefined || last === undefined) return;
    held.position = last.offset + 1n;
    this.events.deliver(held.assignment, records);
  }

  private crash(reason: string): void {
    if (this.isOver) return;
    this.memberId = this.session?.memberId ?? this.memberId;
    this.session?.destroy();
    this.session = null;
    this.held.clear();
    this.paused.clear();
    this.reason = `the consumer ended: ${reason}`;
    // Before the first join nobody holds anything; a coordinator that is still loading after a start of the broker is the usual reason.
    if (this.onFirstJoin === null) this.events.crashed(reason);
    if (this.isRetired || this.isOver) return;
    const afterMs = RECREATE_AFTER_MS[Math.min(this.failures, RECREATE_AFTER_MS.length - 1)];
    this.failures += 1;
    this.recreation = setTimeout(() => this.startSession(), afterMs);
  }

  /** A member that the group had forgotten may have been asleep while another list of topics took over. */
  private async verifyInForce(): Promise<void> {
    const states = await within(VERIFY_WITHIN_MS, 'reading the group', statesOf(this.questions, this.request.group)).catch(() => []);
    const [inForce] = states;
    if (inForce === undefined || inForce.name === this.inForce.name || inForce.epoch <= this.inForce.epoch) return;
    this.isRetired = true;
    this.crash(GroupRetired.because(this.request.group).message);
  }

  private end(): void {
    this.isOver = true;
    this.reason = 'the member has left';
    this.session = null;
    this.held.clear();
    this.watch.stop();
    if (this.recreation !== null) clearTimeout(this.recreation);
    this.onOver();
  }
}

const LEAVE_WITHIN_MS = 3_000;
/** The group waits meanwhile; an answer that does not come is asked for again at the next loss of membership. */
const VERIFY_WITHIN_MS = 2_000;

function placeOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

function fenced(group: string, positions: readonly TopicPartition[], cause?: unknown): Error {
  const partitions = positions.map(placeOf);
  return Fenced.from(cause, `committing ${partitions.join(', ')} for group ${group}`, { partitions });
}
