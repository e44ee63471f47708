import type { Assignment } from '../driver.js';
import type { StoredRecord } from '../port.js';
import { type Ticket, Watermark } from './watermark.js';

/** One record between delivery and the passing of its offset. */
export interface Work {
  readonly held: HeldPartition;
  readonly record: StoredRecord;
  readonly ticket: Ticket;
}

/**
 * One assignment of one partition and what is in hand of it. `open`: work may start · `closing`: what runs may finish and be committed · `gone`: late results are dropped.
 * A partition that comes back is a new object with a new epoch, so that nothing of the old one can touch it.
 */
export class HeldPartition {
  readonly watermark = new Watermark();
  state: 'open' | 'closing' | 'gone' = 'open';
  /** Delivered and not started; executors keep these figures. */
  waitingRecords = 0;
  waitingBytes = 0;
  isDriverPaused = false;
  committedNext: bigint | null = null;
  private running = 0;
  private onQuiet: (() => void)[] = [];

  constructor(readonly assignment: Assignment) {}

  get topic(): string {
    return this.assignment.topic;
  }

  get uncommitted(): bigint | null {
    const { next } = this.watermark;
    return next !== null && (this.committedNext === null || next > this.committedNext) ? next : null;
  }

  take(record: StoredRecord): Work {
    this.waitingRecords += 1;
    this.waitingBytes += sizeOf(record);
    return { held: this, record, ticket: this.watermark.add(record.offset) };
  }

  begin(work: Work): void {
    this.waitingRecords -= 1;
    this.waitingBytes -= sizeOf(work.record);
    this.running += 1;
  }

  /** The call is over; without an outcome the record waits again. */
  end(work: Work, isFinished: boolean): void {
    this.running -= 1;
    if (isFinished) this.watermark.finish(work.ticket);
    else {
      this.waitingRecords += 1;
      this.waitingBytes += sizeOf(work.record);
    }
    if (this.running === 0) for (const resolve of this.onQuiet.splice(0)) resolve();
  }

  /** Resolves when no handler works on a record of this assignment. */
  quiet(): Promise<void> {
    return this.running === 0 ? Promise.resolve() : new Promise((resolve) => this.onQuiet.push(resolve));
  }
}

function sizeOf(record: StoredRecord): number {
  return (record.key?.length ?? 0) + (record.value?.length ?? 0) + 100;
}
