import { performance } from 'node:perf_hooks';
import type { Pool } from 'pg';
import type { CommitPosition, LogMember, MemberEvents, TopicPartition } from '../../driver.js';
import { Fenced, GroupRetired, LogUnavailable } from '../../errors.js';
import { balance, enterGroup, leaveGroup, pulse, release, type Balance, type MemberIdentity } from './group-store.js';
import type { PositionStore } from './position-store.js';
import type { Holding, Reader } from './reader.js';
import type { KnownTopic } from './topic-catalog.js';

export interface MemberContext {
  readonly pool: Pool;
  readonly positions: Pick<PositionStore, 'commit'>;
  readonly identity: MemberIdentity;
  readonly topics: readonly KnownTopic[];
  readonly reader: Reader;
  readonly events: MemberEvents;
  readonly heartbeatMs: number;
  /** The group has changed by an act of this member: the others should look. */
  readonly tellGroup: () => void;
  /** The member has left. */
  readonly forget: () => void;
  readonly onPulse: (facts: { readonly hasForeign: boolean; readonly clockOffsetMs: number }) => void;
}

/** One member of one group: a lease that is renewed, and the partitions that go with it. */
export class PostgresMember implements LogMember {
  private generation = -1n;
  private heartbeatAt = Number.NEGATIVE_INFINITY;
  private state: 'joining' | 'in' | 'left' | 'retired' = 'joining';
  private trouble: string | null = 'joining the group';
  private isBeating = false;
  private mustBeatAgain = false;
  private timer: NodeJS.Timeout | undefined;
  private readonly releasing = new Set<Holding>();

  constructor(private readonly context: MemberContext) {}

  get sessionTimeoutMs(): number {
    return this.context.identity.leaseMs;
  }

  get group(): string {
    return this.context.identity.group;
  }

  readsAny(topicIds: readonly number[]): boolean {
    return this.context.topics.some(({ topicId }) => topicIds.includes(topicId));
  }

  get reader(): Reader {
    return this.context.reader;
  }

  async join(): Promise<void> {
    // The group may tell of a change meanwhile: a beat beside this one would enter a second time, and whichever comes last is refused.
    this.isBeating = true;
    await this.enter();
    if (this.state === 'in') await this.rebalance();
    this.isBeating = false;
    this.scheduleBeat();
  }

  lastHeartbeatMs(): number {
    return this.heartbeatAt;
  }

  health(): { readonly ready: boolean; readonly reason?: string } {
    const silentMs = performance.now() - this.heartbeatAt;
    const silence = silentMs > this.sessionTimeoutMs / 2 ? `no heartbeat for ${Math.round(silentMs)} ms` : null;
    const reason = this.trouble ?? this.context.reader.problem ?? silence;
    return reason === null ? { ready: true } : { ready: false, reason };
  }

  pause(partitions: readonly TopicPartition[]): void {
    this.context.reader.setPaused(partitions, true);
  }

  resume(partitions: readonly TopicPartition[]): void {
    this.context.reader.setPaused(partitions, false);
  }

  async commit(positions: readonly CommitPosition[]): Promise<void> {
    const ids = new Map(this.context.topics.map(({ name, topicId }) => [name, topicId]));
    try {
      await this.context.positions.commit(this.context.identity, positions.map((position) => ({ ...position, topicId: ids.get(position.topic) ?? -1 })));
    } catch (error) {
      if (Fenced.matches(error)) {
        this.beatSoon();
        throw error;
      }
      throw LogUnavailable.from(error, `committing for ${this.group}`);
    }
  }

  async leave(): Promise<void> {
    this.end();
    this.context.forget();
    await leaveGroup(this.context.pool, this.context.identity);
    this.context.tellGroup();
  }

  /** Ends without a word to the group, as a killed process would. */
  end(): void {
    this.state = 'left';
    this.trouble = 'left the group';
    clearTimeout(this.timer);
    this.context.reader.close();
  }

  /** Something about the group may have changed. */
  beatSoon(): void {
    if (this.state === 'left' || this.state === 'retired') return;
    if (this.isBeating) this.mustBeatAgain = true;
    else void this.beat();
  }

  private async enter(): Promise<void> {
    const sentAt = performance.now();
    const waitingFor = await enterGroup(this.context.pool, this.context.identity, this.context.topics);
    if (this.state !== 'joining') return;
    this.trouble = waitingFor;
    if (waitingFor !== null) return;
    this.heartbeatAt = sentAt;
    this.state = 'in';
    this.context.tellGroup();
  }

  private async beat(): Promise<void> {
    this.isBeating = true;
    clearTimeout(this.timer);
    try {
      if (this.state === 'joining') await this.enter();
      if (this.state === 'in') await this.renew();
    } catch (error) {
      if (GroupRetired.matches(error) && this.state !== 'left') this.retire(error.message);
      else this.trouble = `heartbeat: ${error instanceof Error ? error.message : String(error)}`;
    }
    this.isBeating = false;
    this.scheduleBeat();
  }

  private scheduleBeat(): void {
    if (this.state === 'left' || this.state === 'retired') return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.beatSoon(), this.mustBeatAgain ? 0 : this.context.heartbeatMs);
    this.mustBeatAgain = false;
  }

  private async renew(): Promise<void> {
    const sentAt = performance.now();
    const sentAtMs = Date.now();
    const renewed = await pulse(this.context.pool, this.context.identity);
    // It may have left meanwhile, and then has no row on purpose.
    if (this.state !== 'in') return;
    if (renewed === null) return this.loseEverything();
    this.heartbeatAt = sentAt;
    this.trouble = null;
    this.context.onPulse({ hasForeign: renewed.hasForeign, clockOffsetMs: renewed.databaseNowMs - (sentAtMs + Date.now()) / 2 });
    if (renewed.generation !== this.generation || renewed.hasExpired) await this.rebalance();
  }

  private async rebalance(): Promise<void> {
    const result = await balance(this.context.pool, this.context.identity);
    if (this.state !== 'in') return;
    if (result === null) return this.loseEverything();
    this.generation = result.leavesFree ? -1n : result.generation;
    this.dropLost(result);
    const claimed = result.claimed.flatMap(({ topicId, partition, epoch, from, hour }): Holding[] => {
      const topic = this.context.topics.find((candidate) => candidate.topicId === topicId);
      return topic === undefined ? [] : [{ topic: topic.name, topicId, partition, epoch, position: from, hour, isPaused: false }];
    });
    if (claimed.length > 0) {
      this.context.events.assigned(claimed);
      this.context.reader.add(claimed);
    }
    const surplus = result.surplus.flatMap(({ topicId, partition }) => this.holdingOf(topicId, partition) ?? []).filter((holding) => !this.releasing.has(holding));
    if (surplus.length > 0) void this.giveBack(surplus);
    const unknown = result.holds.filter(({ topicId, partition }) => this.holdingOf(topicId, partition) === undefined);
    // Claimed by a transaction whose answer never arrived: freed, so that it can be claimed again.
    if (unknown.length > 0) await release(this.context.pool, this.context.identity, unknown);
  }

  private async giveBack(holdings: readonly Holding[]): Promise<void> {
    for (const holding of holdings) this.releasing.add(holding);
    this.context.reader.setPaused(holdings, true);
    await this.context.events.revoked(holdings, 'release');
    this.context.reader.remove(holdings.filter((holding) => this.context.reader.find(holding) === holding));
    try {
      await release(this.context.pool, this.context.identity, holdings);
      this.context.tellGroup();
    } catch (error) {
      // The next look at the group finds them unknown here and frees them.
      this.trouble = `giving partitions back: ${error instanceof Error ? error.message : String(error)}`;
    }
    for (const holding of holdings) this.releasing.delete(holding);
    this.generation = -1n;
    this.beatSoon();
  }

  private dropLost({ holds }: Balance): void {
    const epochs = new Map(holds.map(({ topicId, partition, epoch }) => [`${topicId}/${partition}`, epoch]));
    this.lose(this.context.reader.held().filter(({ topicId, partition, epoch }) => epochs.get(`${topicId}/${partition}`) !== epoch));
  }

  private loseEverything(): void {
    this.lose(this.context.reader.held());
    this.state = 'joining';
    this.trouble = 'joining the group again: its lease had run out';
    this.mustBeatAgain = true;
  }

  private lose(holdings: readonly Holding[]): void {
    if (holdings.length === 0) return;
    this.context.reader.remove(holdings);
    void this.context.events.revoked(holdings, 'lost');
  }

  private retire(reason: string): void {
    this.lose(this.context.reader.held());
    this.state = 'retired';
    this.trouble = reason;
    this.context.events.crashed(reason);
  }

  private holdingOf(topicId: number, partition: number): Holding | undefined {
    return this.context.reader.held().find((holding) => holding.topicId === topicId && holding.partition === partition);
  }
}
