import { failpoint } from '@trunkline/failpoints';
import type { CommitPosition, LogMember } from '../driver.js';
import { Fenced } from '../errors.js';
import type { HeldPartition } from './held-partition.js';
import { backOffMs, type Timing } from './timing.js';

/**
 * Stores watermarks: one commit in flight, all partitions that moved in one call, on the beats of a clock that all consumers of the process share,
 * so that a driver can store theirs together. Nobody waits for it but the redelivery after a kill.
 */
export class Committer {
  private member: LogMember | null = null;
  private readonly dirty = new Set<HeldPartition>();
  private current: Promise<void> | null = null;
  private isScheduled = false;
  private failures = 0;
  private cancelTimer = (): void => undefined;

  constructor(
    private readonly intervalMs: number,
    private readonly timing: Timing,
    private readonly onFenced: (held: HeldPartition) => void,
    private readonly report: (error: unknown) => void,
  ) {}

  attach(member: LogMember): void {
    this.member = member;
    this.schedule();
  }

  moved(held: HeldPartition): void {
    if (held.state === 'gone' || held.uncommitted === null) return;
    this.dirty.add(held);
    this.schedule();
  }

  /** Everything that may be committed by now, at once; resolves when it is stored or refused. */
  async flush(): Promise<void> {
    while (this.current !== null) await this.current;
    if (this.dirty.size > 0 && this.member !== null) await this.run(this.member);
  }

  stop(): void {
    this.member = null;
    this.cancelTimer();
  }

  private schedule(): void {
    if (this.isScheduled || this.current !== null || this.member === null || this.dirty.size === 0) return;
    this.isScheduled = true;
    const delayMs = this.failures > 0 ? backOffMs(this.failures, this.timing) : Math.ceil(this.intervalMs - (this.timing.monotonicMs() % this.intervalMs));
    this.cancelTimer = this.timing.after(delayMs, () => {
      this.isScheduled = false;
      if (this.member !== null && this.current === null) void this.run(this.member);
    });
  }

  private run(member: LogMember): Promise<void> {
    this.current = this.commit(member).then(() => {
      this.current = null;
      this.schedule();
    });
    return this.current;
  }

  private async commit(member: LogMember): Promise<void> {
    const sent = [...this.dirty].flatMap((held) => (held.state === 'gone' || held.uncommitted === null ? [] : [{ held, next: held.uncommitted }]));
    this.dirty.clear();
    if (sent.length === 0) return;
    failpoint('log.beforePositions');
    try {
      await member.commit(sent.map(({ held, next }): CommitPosition => ({ ...held.assignment, next })));
      failpoint('log.afterPositions');
      for (const { held, next } of sent) held.committedNext = next;
      this.failures = 0;
    } catch (error) {
      if (Fenced.matches(error)) return this.refuse(sent, error.facts['partitions']);
      this.failures += 1;
      for (const { held } of sent) if (held.state !== 'gone') this.dirty.add(held);
      this.report(error);
    }
  }

  private refuse(sent: readonly { readonly held: HeldPartition; readonly next: bigint }[], partitions: unknown): void {
    const refused = new Set(Array.isArray(partitions) ? partitions : sent.map(({ held }) => nameOf(held)));
    for (const { held, next } of sent) {
      if (refused.has(nameOf(held))) this.onFenced(held);
      else held.committedNext = next;
    }
  }
}

function nameOf({ assignment }: HeldPartition): string {
  return `${assignment.topic}/${assignment.partition}`;
}
