import type { Assignment, LogDriver, LogMember, MemberEvents, TopicPartition } from '../driver.js';
import type { BatchConsumer, Consumption, PerKeyConsumer, RecordOutcome, StoredRecord } from '../port.js';
import { BatchExecutor } from './batch-executor.js';
import { Committer } from './committer.js';
import { deadLettersOf, deadLetterTopic } from './dead-letter.js';
import type { Executor, Surroundings } from './executor.js';
import { HeldPartition, type Work } from './held-partition.js';
import { PerKeyExecutor } from './per-key-executor.js';
import { settledWithin, type Timing } from './timing.js';

export interface ConsumptionTuning {
  /** Time between two beats at which positions are stored. */
  readonly commitIntervalMs: number;
  /** Records handed out of a partition past its committed offset; then it pauses (delivery §6.6). */
  readonly gapLimit: number;
  /** Bytes that wait in this process per partition; then it pauses. */
  readonly waitingBytesLimit: number;
  /** How long a partition that the group wants back may wait for what is in hand. */
  readonly revokeWaitMs: number;
  /** Told of every handler rejection and failed commit; both are repeated until they work. */
  readonly report: (error: unknown, context: { readonly group: string; readonly records: readonly StoredRecord[] }) => void;
}

/** One consumer of one group in this process: keeps what it holds, feeds the executor, commits, and gives partitions back when asked. */
export class RunningConsumption implements Consumption, MemberEvents, Surroundings {
  private readonly held = new Map<string, HeldPartition>();
  private readonly pausedTopics = new Set<string>();
  private readonly executor: Executor;
  private readonly committer: Committer;
  private readonly waitingLimit: number;
  private member: LogMember | null = null;
  private isStopping = false;
  private stopped: Promise<void> | null = null;

  private constructor(
    private readonly driver: LogDriver,
    private readonly consumer: BatchConsumer | PerKeyConsumer,
    private readonly tuning: ConsumptionTuning,
    private readonly timing: Timing,
  ) {
    this.executor = consumer.mode === 'batch' ? new BatchExecutor(consumer, this, timing) : new PerKeyExecutor(consumer, this, timing);
    this.waitingLimit = consumer.mode === 'batch' ? consumer.maxRecords * 2 : tuning.gapLimit;
    this.committer = new Committer(
      tuning.commitIntervalMs,
      timing,
      (held) => this.drop(held),
      (error) => this.report(error, []),
    );
  }

  static async start(driver: LogDriver, consumer: BatchConsumer | PerKeyConsumer, tuning: ConsumptionTuning, timing: Timing): Promise<RunningConsumption> {
    const consumption = new RunningConsumption(driver, consumer, tuning, timing);
    const { group, topics } = consumer;
    const fetchRecords = consumer.mode === 'batch' ? consumer.maxRecords : Math.max(consumer.maxInFlight, 500);
    const member = await driver.join({ group, topics, fetchRecords }, consumption);
    consumption.member = member;
    consumption.committer.attach(member);
    consumption.moved(consumption.held.values());
    return consumption;
  }

  // What the service sees.

  get sessionTimeoutMs(): number {
    return this.member?.sessionTimeoutMs ?? 0;
  }

  lastHeartbeatMs(): number {
    return this.member?.lastHeartbeatMs() ?? Number.NEGATIVE_INFINITY;
  }

  health(): { readonly ready: boolean; readonly reason?: string } {
    if (this.isStopping) return { ready: false, reason: 'stopping' };
    const busySinceMs = this.executor.busySinceMs();
    if (busySinceMs !== null && this.timing.monotonicMs() - busySinceMs > HANDLER_OVERDUE_MS) return { ready: false, reason: `a call of the handler has not returned for ${HANDLER_OVERDUE_MS / 1000} s` };
    return this.member?.health() ?? { ready: false, reason: 'joining the group' };
  }

  pause(topics: readonly string[]): void {
    for (const topic of topics) this.pausedTopics.add(topic);
    this.moved(this.held.values());
  }

  resume(topics: readonly string[]): void {
    for (const topic of topics) this.pausedTopics.delete(topic);
    this.moved(this.held.values());
    this.executor.wake();
  }

  stop(graceMs: number): Promise<void> {
    this.stopped ??= this.windDown(graceMs);
    return this.stopped;
  }

  // What the driver says.

  assigned(assignments: readonly Assignment[]): void {
    for (const assignment of assignments) {
      const before = this.held.get(nameOf(assignment));
      if (before !== undefined) this.drop(before);
      this.held.set(nameOf(assignment), new HeldPartition(assignment));
    }
    this.moved(this.heldOf(assignments));
  }

  async revoked(partitions: readonly TopicPartition[], how: 'release' | 'lost'): Promise<void> {
    const helds = this.heldOf(partitions);
    if (how === 'release') {
      for (const held of helds) held.state = 'closing';
      await settledWithin(Promise.all(helds.map((held) => held.quiet())), this.tuning.revokeWaitMs, this.timing);
      await settledWithin(this.committer.flush(), this.tuning.revokeWaitMs, this.timing);
    }
    for (const held of helds) this.drop(held);
  }

  deliver(assignment: Assignment, records: readonly StoredRecord[]): void {
    const held = this.held.get(nameOf(assignment));
    // A delivery under an old epoch belongs to an assignment that is over.
    if (held === undefined || held.state !== 'open' || held.assignment.epoch !== assignment.epoch || this.isStopping) return;
    this.executor.accept(records.map((record): Work => held.take(record)));
    this.moved([held]);
  }

  crashed(reason: string): void {
    for (const held of [...this.held.values()]) this.drop(held);
    this.report(new Error(`the consumer of group ${this.consumer.group} is started again: ${reason}`), []);
  }

  // What the executor needs.

  mayStart(held: HeldPartition): boolean {
    return held.state === 'open' && !this.isStopping && !this.pausedTopics.has(held.topic);
  }

  async settle(records: readonly StoredRecord[], outcomes: readonly RecordOutcome[]): Promise<void> {
    const deadLetters = deadLettersOf(records, outcomes, this.consumer.group, this.timing.nowMs());
    // P3: durable on dead-letters first, passed afterwards.
    if (deadLetters.length > 0) await this.driver.append(deadLetterTopic, deadLetters);
  }

  moved(helds: Iterable<HeldPartition>): void {
    for (const held of helds) {
      this.committer.moved(held);
      this.regulate(held);
    }
  }

  report(error: unknown, records: readonly StoredRecord[]): void {
    this.tuning.report(error, { group: this.consumer.group, records });
  }

  // Private acts.

  private regulate(held: HeldPartition): void {
    if (this.member === null || held.state !== 'open') return;
    // It resumes only at half of what paused it, so that it does not flap.
    const scale = held.isDriverPaused ? 0.5 : 1;
    const isFull =
      held.watermark.gap >= this.tuning.gapLimit * scale || held.waitingRecords >= this.waitingLimit * scale || held.waitingBytes >= this.tuning.waitingBytesLimit * scale;
    const shouldPause = isFull || this.isStopping || this.pausedTopics.has(held.topic);
    if (shouldPause === held.isDriverPaused) return;
    held.isDriverPaused = shouldPause;
    if (shouldPause) this.member.pause([held.assignment]);
    else this.member.resume([held.assignment]);
  }

  private drop(held: HeldPartition): void {
    held.state = 'gone';
    this.executor.forget(held);
    if (this.held.get(nameOf(held.assignment)) === held) this.held.delete(nameOf(held.assignment));
  }

  private heldOf(partitions: readonly TopicPartition[]): HeldPartition[] {
    return partitions.flatMap((partition) => this.held.get(nameOf(partition)) ?? []);
  }

  private async windDown(graceMs: number): Promise<void> {
    const deadlineMs = this.timing.monotonicMs() + graceMs;
    const leftMs = (): number => Math.max(0, deadlineMs - this.timing.monotonicMs());
    this.isStopping = true;
    this.executor.stop();
    const helds = [...this.held.values()];
    this.moved(helds);
    await settledWithin(Promise.all(helds.map((held) => held.quiet())), leftMs(), this.timing);
    // Even without grace left one commit is tried: what it saves need not be done again elsewhere.
    await settledWithin(this.committer.flush(), Math.max(leftMs(), 1000), this.timing);
    this.committer.stop();
    for (const held of helds) this.drop(held);
    if (this.member !== null) await settledWithin(this.member.leave(), Math.max(leftMs(), 1000), this.timing);
  }
}

/** Longer than any statement or call may take; what waits behind it waits for good. */
const HANDLER_OVERDUE_MS = 120_000;

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
