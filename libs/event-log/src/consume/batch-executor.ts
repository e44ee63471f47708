import { OutcomesIncomplete } from '../errors.js';
import type { BatchConsumer, RecordOutcome } from '../port.js';
import type { Executor, Surroundings } from './executor.js';
import type { HeldPartition, Work } from './held-partition.js';
import { backOffMs, type Timing } from './timing.js';

/** One call in flight over everything that waits in all partitions; when nothing is in flight the next call starts at once. */
export class BatchExecutor implements Executor {
  private readonly queues = new Map<HeldPartition, Work[]>();
  private isBusy = false;
  private callBeganMs: number | null = null;
  private isScheduled = false;
  private isStopped = false;

  constructor(
    private readonly consumer: Pick<BatchConsumer, 'maxRecords' | 'handleBatch'>,
    private readonly around: Surroundings,
    private readonly timing: Timing,
  ) {}

  accept(works: readonly Work[]): void {
    for (const work of works) {
      const queue = this.queues.get(work.held);
      if (queue === undefined) this.queues.set(work.held, [work]);
      else queue.push(work);
    }
    this.wake();
  }

  forget(held: HeldPartition): void {
    this.queues.delete(held);
  }

  /** The microtask lets all partitions that arrive in the same turn fold into one call. */
  wake(): void {
    if (this.isBusy || this.isScheduled) return;
    this.isScheduled = true;
    queueMicrotask(() => {
      this.isScheduled = false;
      this.start(this.take(), 0);
    });
  }

  stop(): void {
    this.isStopped = true;
  }

  busySinceMs(): number | null {
    return this.callBeganMs;
  }

  private take(): Work[] {
    const open = [...this.queues].filter(([held]) => this.around.mayStart(held));
    const batch: Work[] = [];
    // Two rounds: a fair share of each partition first, so that a full one cannot keep the others waiting, then whatever is left.
    for (const share of [Math.ceil(this.consumer.maxRecords / Math.max(open.length, 1)), this.consumer.maxRecords]) {
      for (const [held, queue] of open) {
        const room = Math.min(share, this.consumer.maxRecords - batch.length);
        if (room > 0) batch.push(...queue.splice(0, room));
        if (queue.length === 0) this.queues.delete(held);
      }
    }
    return batch;
  }

  private start(batch: readonly Work[], failures: number): void {
    if (this.isStopped || batch.length === 0) return;
    this.isBusy = true;
    for (const work of batch) work.held.begin(work);
    this.around.moved(heldOf(batch));
    this.callBeganMs = this.timing.monotonicMs();
    void this.call(batch).then((error) => {
      this.callBeganMs = null;
      for (const work of batch) work.held.end(work, error === null);
      this.around.moved(heldOf(batch));
      if (error === null) this.next();
      else this.repeat(batch, failures + 1, error.reason);
    });
  }

  private async call(batch: readonly Work[]): Promise<Failure | null> {
    const records = batch.map((work) => work.record);
    try {
      const outcomes: readonly RecordOutcome[] = await this.consumer.handleBatch(records);
      if (!Array.isArray(outcomes) || outcomes.length !== records.length) throw OutcomesIncomplete.because(`${records.length} records, ${outcomes?.length} outcomes`);
      await this.around.settle(records, outcomes);
      return null;
    } catch (reason) {
      return { reason };
    }
  }

  /** The same records again, less those that others hold by now; a rejected batch never reaches the driver. */
  private repeat(batch: readonly Work[], failures: number, reason: unknown): void {
    this.around.report(reason, batch.map((work) => work.record));
    this.timing.after(backOffMs(failures, this.timing), () => {
      const still = batch.filter((work) => this.around.mayStart(work.held));
      // Of a partition that may not start just now (its topic is paused) the records go back to the front of its queue.
      for (const work of batch.filter((candidate) => candidate.held.state === 'open' && !this.around.mayStart(candidate.held)).reverse()) {
        this.queues.set(work.held, [work, ...(this.queues.get(work.held) ?? [])]);
      }
      if (still.length > 0) this.start(still, failures);
      else this.next();
    });
  }

  private next(): void {
    this.isBusy = false;
    this.wake();
  }
}

interface Failure {
  readonly reason: unknown;
}

function heldOf(batch: readonly Work[]): Set<HeldPartition> {
  return new Set(batch.map((work) => work.held));
}
