import type { PerKeyConsumer } from '../port.js';
import type { Executor, Surroundings } from './executor.js';
import type { HeldPartition, Work } from './held-partition.js';
import { backOffMs, type Timing } from './timing.js';

/** Records of one key one after the other, different keys at once, at most `maxInFlight` calls. A key whose record is being repeated holds no place. */
export class PerKeyExecutor implements Executor {
  private readonly lanes = new Map<string, Lane>();
  private ready: Lane[] = [];
  /** When each call that is under way began, oldest first. */
  private readonly inFlight = new Map<Work, number>();
  private isStopped = false;

  constructor(
    private readonly consumer: Pick<PerKeyConsumer, 'maxInFlight' | 'orderingKey' | 'handleRecord'>,
    private readonly around: Surroundings,
    private readonly timing: Timing,
  ) {}

  accept(works: readonly Work[]): void {
    for (const work of works) {
      const key = this.keyOf(work);
      const lane = this.lanes.get(key) ?? { key, queue: [], state: 'idle' };
      this.lanes.set(key, lane);
      lane.queue.push(work);
      this.offer(lane);
    }
    this.pump();
  }

  forget(held: HeldPartition): void {
    for (const lane of this.lanes.values()) {
      if (lane.queue.some((work) => work.held === held)) lane.queue = lane.queue.filter((work) => work.held !== held);
      if (lane.queue.length === 0 && lane.state === 'idle') this.lanes.delete(lane.key);
    }
    this.wake();
  }

  wake(): void {
    for (const lane of this.lanes.values()) this.offer(lane);
    this.pump();
  }

  stop(): void {
    this.isStopped = true;
  }

  busySinceMs(): number | null {
    return this.inFlight.values().next().value ?? null;
  }

  /** A record without a readable key is ordered within its partition; what to do with it is the handler's decision. */
  private keyOf({ record }: Work): string {
    try {
      return this.consumer.orderingKey(record);
    } catch (error) {
      this.around.report(error, [record]);
      return `\u0000${record.topic}/${record.partition}`;
    }
  }

  private offer(lane: Lane): void {
    if (lane.state !== 'idle') return;
    const first = lane.queue[0];
    if (first === undefined || !this.around.mayStart(first.held)) return;
    lane.state = 'ready';
    this.ready.push(lane);
  }

  private pump(): void {
    let next = 0;
    while (!this.isStopped && this.inFlight.size < this.consumer.maxInFlight && next < this.ready.length) {
      const lane = this.ready[next];
      next += 1;
      if (lane !== undefined) this.start(lane, 0);
    }
    if (next > 0) this.ready = this.ready.slice(next);
  }

  private start(lane: Lane, failures: number): void {
    const work = lane.queue[0];
    if (this.isStopped || work === undefined || !this.around.mayStart(work.held)) {
      lane.state = 'idle';
      if (lane.queue.length === 0) this.lanes.delete(lane.key);
      return;
    }
    lane.state = 'running';
    this.inFlight.set(work, this.timing.monotonicMs());
    work.held.begin(work);
    void this.call(work).then((failure) => {
      this.inFlight.delete(work);
      work.held.end(work, failure === null);
      if (failure === null) this.finish(lane, work);
      else this.repeat(lane, work, failures + 1, failure.reason);
      this.around.moved([work.held]);
      this.pump();
    });
  }

  private async call({ record }: Work): Promise<{ readonly reason: unknown } | null> {
    try {
      const outcome = await this.consumer.handleRecord(record);
      await this.around.settle([record], [outcome]);
      return null;
    } catch (reason) {
      return { reason };
    }
  }

  private finish(lane: Lane, work: Work): void {
    // The partition may have been taken away meanwhile, and its records with it.
    if (lane.queue[0] === work) lane.queue.shift();
    lane.state = 'idle';
    if (lane.queue.length === 0) this.lanes.delete(lane.key);
    else this.offer(lane);
  }

  private repeat(lane: Lane, work: Work, failures: number, reason: unknown): void {
    this.around.report(reason, [work.record]);
    lane.state = 'resting';
    this.timing.after(backOffMs(failures, this.timing), () => {
      const isSame = lane.queue[0] === work;
      lane.state = 'idle';
      if (isSame && this.inFlight.size < this.consumer.maxInFlight) this.start(lane, failures);
      else this.offer(lane);
      this.pump();
    });
  }
}

interface Lane {
  readonly key: string;
  /** The first one is the one that runs, while one runs. */
  queue: Work[];
  state: 'idle' | 'ready' | 'running' | 'resting';
}
