import type { Item } from './item.js';

/** Steps that waited for their gate and may pass now: asked for at the last moment, when the room is known, they join the next flush before anything else. */
export interface Waiting {
  take(most: number, items: readonly Item[]): readonly Item[];
}

interface Job {
  readonly items: readonly Item[];
  resolve(): void;
  reject(reason: unknown): void;
}

/** One flush in flight per process, for records, due items and gate admissions alike: the wait for it is the batch, and nothing waits when nothing is in flight (delivery §4). */
export class FlushLoop {
  private readonly jobs: Job[] = [];
  private running: Promise<void> | null = null;

  constructor(
    private readonly flush: (items: readonly Item[]) => Promise<void>,
    private readonly mostItems: number,
    private readonly waiting: Waiting = { take: () => [] },
  ) {}

  /** Resolves once all items are in the database. However many they are, no transaction gets more than `mostItems`. */
  submit(items: readonly Item[]): Promise<void> {
    if (items.length === 0) return Promise.resolve();
    const jobs: Promise<void>[] = [];
    for (let start = 0; start < items.length; start += this.mostItems) jobs.push(this.enqueue(items.slice(start, start + this.mostItems)));
    return Promise.all(jobs).then(() => undefined);
  }

  /** Resolves once what waits and may pass is in the database. */
  letThrough(): Promise<void> {
    return this.enqueue([]);
  }

  async idle(): Promise<void> {
    while (this.running !== null) await this.running;
  }

  private enqueue(items: readonly Item[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.jobs.push({ items, resolve, reject });
      this.running ??= this.run();
    });
  }

  private async run(): Promise<void> {
    // Everything submitted in this turn of the event loop joins the first flush.
    await Promise.resolve();
    while (this.jobs.length > 0) {
      const batch = this.take();
      try {
        const items = batch.flatMap((job) => job.items);
        // At least a quarter on top of a full flush: what waits must not starve behind records, nor records behind what waits.
        const passing = this.waiting.take(Math.max(this.mostItems - items.length, Math.ceil(this.mostItems / 4)), items);
        if (passing.length + items.length > 0) await this.flush([...passing, ...items]);
        for (const job of batch) job.resolve();
      } catch (error) {
        for (const job of batch) job.reject(error);
      }
    }
    this.running = null;
  }

  private take(): Job[] {
    const batch = this.jobs.splice(0, 1);
    let size = batch[0]?.items.length ?? 0;
    while (this.jobs[0] !== undefined && size + this.jobs[0].items.length <= this.mostItems) {
      size += this.jobs[0].items.length;
      batch.push(...this.jobs.splice(0, 1));
    }
    return batch;
  }
}
