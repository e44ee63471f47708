import { encodeResult, resultsTopic, type StepResult } from '@trunkline/contracts';
import type { EventLog } from '@trunkline/event-log';
import { failpoint } from '@trunkline/failpoints';
import type { WorkerLogger } from './ports.js';

interface Waiting {
  readonly result: StepResult;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const mostRecords = 500;
const longestPauseMs = 2_000;

/** Appends results, many at a time, one append in flight, and goes on trying while the log is away: what a call has brought is not thrown away. */
export class Results {
  private waiting: Waiting[] = [];
  private running: Promise<void> | null = null;
  private isStopped = false;

  constructor(
    private readonly eventLog: EventLog,
    private readonly logger: WorkerLogger | undefined,
  ) {}

  /** Resolves once the result is durable. */
  send(result: StepResult): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ result, resolve, reject });
      this.running ??= this.run();
    });
  }

  /** Gives up on what the log does not take within the time; the steps are swept. */
  async stop(graceMs: number): Promise<void> {
    const timer = setTimeout(() => {
      this.isStopped = true;
    }, graceMs);
    await this.running;
    clearTimeout(timer);
    this.isStopped = true;
  }

  private async run(): Promise<void> {
    await Promise.resolve();
    let failures = 0;
    while (this.waiting.length > 0) {
      const batch = this.waiting.slice(0, mostRecords);
      failpoint('worker.beforeResult');
      try {
        await this.eventLog.append(resultsTopic, batch.map(({ result }) => encodeResult(result)));
        failpoint('worker.afterResult');
        failures = 0;
        this.waiting.splice(0, batch.length);
        for (const { resolve } of batch) resolve();
      } catch (error) {
        failures += 1;
        if (failures === 1) this.logger?.warn({ err: error, results: this.waiting.length }, 'Results cannot be appended; trying again');
        if (this.isStopped) {
          for (const { reject } of this.waiting.splice(0)) reject(error);
          break;
        }
        await new Promise((resolve) => setTimeout(resolve, Math.min(longestPauseMs, 50 * 2 ** failures)));
      }
    }
    // In the same turn as the last look at what waits: whoever comes in between would wait for the next one to come.
    this.running = null;
  }
}
