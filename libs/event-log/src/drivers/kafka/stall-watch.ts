import type { Topics } from './topics.js';

export interface Watched {
  positions(): readonly { readonly topic: string; readonly partition: number; readonly position: bigint | null; readonly isPaused: boolean }[];
  lastFetchMs(): number | null;
  /** Monotonic; when partitions were given back for which none have come since. Null while some are held, or there is no session. */
  withoutPartitionsSinceMs(): number | null;
  stalled(reason: string): void;
}

/**
 * Notices a consumer that lives and reads nothing: its fetch loop has stopped, it stands still while its partitions grow, or it has given them back and never got any. While the broker does not answer either,
 * the consumer is left alone: it recovers faster than a new one, which would have to wait for the old one's session to end.
 */
export class StallWatch {
  private timer: NodeJS.Timeout | null = null;
  private seen = new Map<string, { readonly position: bigint | null; readonly sinceMs: number }>();
  private doubt: string | null = null;
  private isLooking = false;

  constructor(
    private readonly stallAfterMs: number,
    /** Longer than a group waits for its slowest member. */
    private readonly joinWithinMs: number,
    private readonly topics: Topics,
    private readonly watched: Watched,
  ) {}

  start(): void {
    this.timer = setInterval(() => void this.look(), this.stallAfterMs / 3);
    this.timer.unref();
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
  }

  reset(): void {
    this.seen.clear();
    this.doubt = null;
  }

  /** Null while nothing is wrong. */
  suspicion(): string | null {
    return this.isFetchOverdue() ? `nothing was fetched for ${this.stallAfterMs} ms` : this.doubt;
  }

  private async look(): Promise<void> {
    if (this.isLooking) return;
    this.isLooking = true;
    try {
      const sinceMs = this.watched.withoutPartitionsSinceMs();
      if (sinceMs !== null && performance.now() - sinceMs > this.joinWithinMs) return this.watched.stalled(`it gave its partitions back and has waited ${this.joinWithinMs} ms for new ones`);
      const suspects = this.suspects();
      const isOverdue = this.isFetchOverdue();
      if (suspects.length === 0 && !isOverdue) this.doubt = null;
      else await this.judge(suspects, isOverdue);
    } catch (error) {
      this.doubt = `the broker does not answer: ${error instanceof Error ? error.message : String(error)}`;
    } finally {
      this.isLooking = false;
    }
  }

  private async judge(suspects: readonly Suspect[], isOverdue: boolean): Promise<void> {
    const topics = [...new Set(this.watched.positions().map(({ topic }) => topic))];
    const ends = await this.topics.ends(topics);
    this.doubt = null;
    if (isOverdue && this.isFetchOverdue()) return this.watched.stalled(`nothing was fetched for ${this.stallAfterMs} ms although the broker answers`);
    const behind = suspects.find(({ topic, partition, position }) => {
      const end = ends.get(topic)?.find((one) => one.partition === partition)?.end ?? 0n;
      return position !== null && position < end && this.seen.get(`${topic}/${partition}`)?.position === position;
    });
    if (behind !== undefined) this.watched.stalled(`${behind.topic}/${behind.partition} stands at ${behind.position} for ${this.stallAfterMs} ms with more to read`);
  }

  /** Unpaused partitions that have not moved for the whole time; most often because there is nothing to read. */
  private suspects(): readonly Suspect[] {
    const now = performance.now();
    const next = new Map<string, { readonly position: bigint | null; readonly sinceMs: number }>();
    const still: Suspect[] = [];
    for (const { topic, partition, position, isPaused } of this.watched.positions()) {
      const place = `${topic}/${partition}`;
      const before = this.seen.get(place);
      const sinceMs = before === undefined || isPaused || before.position !== position ? now : before.sinceMs;
      next.set(place, { position, sinceMs });
      if (now - sinceMs >= this.stallAfterMs) still.push({ topic, partition, position });
    }
    this.seen = next;
    return still;
  }

  private isFetchOverdue(): boolean {
    const last = this.watched.lastFetchMs();
    return last !== null && performance.now() - last > this.stallAfterMs;
  }
}

interface Suspect {
  readonly topic: string;
  readonly partition: number;
  readonly position: bigint | null;
}
