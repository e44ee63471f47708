import { databaseClock, isBetter, type Databases, type MeasuredOffset } from '@trunkline/storage';
import type { WorkerLogger } from './ports.js';

const measureEveryMs = 30_000;

/** The database's time without asking it each time: this process's clock plus the measured offset (delivery §10). */
export class DatabaseNow {
  private known: MeasuredOffset = { offsetMs: 0, uncertaintyMs: Infinity };
  private measuredAtMs = 0;
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly databases: Databases,
    private readonly wallMs: () => number,
    private readonly logger: WorkerLogger | undefined,
  ) {}

  nowMs = (): number => this.wallMs() + this.known.offsetMs;

  async start(): Promise<void> {
    await this.measure();
    this.timer = setInterval(() => void this.measure().catch((error: unknown) => this.logger?.warn({ err: error }, 'The database clock cannot be measured; the last offset stands')), measureEveryMs);
    this.timer.unref();
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
  }

  private async measure(): Promise<void> {
    const measured = await databaseClock(this.databases.system, this.wallMs).offset();
    const nowMs = performance.now();
    if (!isBetter(measured, this.known, nowMs - this.measuredAtMs)) return;
    this.known = { ...measured, offsetMs: Math.round(measured.offsetMs) };
    this.measuredAtMs = nowMs;
  }
}
