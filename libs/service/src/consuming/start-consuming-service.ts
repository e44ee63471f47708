import { setTimeout as wait } from 'node:timers/promises';
import { TrunklineError } from '@trunkline/contracts';
import type { EventLog } from '@trunkline/event-log';
import { isDatabaseAway, type Databases } from '@trunkline/storage';
import type { Logger, Metrics } from '@trunkline/telemetry';
import { startOps, type OpsServer } from '../ops-server.js';
import type { Dependency } from '../readiness.js';
import { explain, type RunningService } from '../run-service.js';
import type { RunningConsumers } from './start-consumers.js';

export interface ConsumingServiceOptions {
  readonly ops: { readonly host: string; readonly port: number };
  readonly databases: Pick<Databases, 'system'>;
  readonly eventLog: Pick<EventLog, 'driver' | 'ping'>;
  readonly metrics: Metrics;
  readonly logger: Pick<Logger, 'warn' | 'error'>;
  /** What the handlers need before the first record; called again while the database is away. */
  readonly prepare: () => Promise<void>;
  /** Joins the groups; called again while the log is away. */
  readonly consume: () => Promise<RunningConsumers>;
  /** After the consumers have stopped, or when they never started. */
  readonly finish: (graceMs: number) => Promise<void>;
  readonly release: () => Promise<void>;
  readonly retryMs?: number;
}

export interface ConsumingService extends RunningService {
  readonly opsUrl: string;
}

/**
 * A process that consumes. Its operations port opens first; while database or event log are away it waits, tries again and `/readyz` names what is missing.
 * Resolves once it consumes or waits; rejects when waiting would not help.
 */
export async function startConsumingService(options: ConsumingServiceOptions): Promise<ConsumingService> {
  const service = new Starting(options);
  let ops: OpsServer | null = null;
  try {
    ops = await startOps({ ...options.ops, dependencies: service.dependencies, metrics: options.metrics });
    await service.start();
  } catch (error) {
    await service.end(0);
    await ops?.close();
    throw error;
  }
  const { url, drain, close } = ops;
  return {
    opsUrl: url,
    stop: async (graceMs) => {
      drain();
      await service.end(graceMs);
      await close();
    },
  };
}

class Starting {
  readonly dependencies: readonly Dependency[];
  private consumers: RunningConsumers | null = null;
  private isPrepared = false;
  private reason = 'not joined yet';
  private readonly stopping = new AbortController();
  private waiting: Promise<void> = Promise.resolve();

  constructor(private readonly options: ConsumingServiceOptions) {
    const { databases, eventLog } = options;
    this.dependencies = [
      { name: 'database', check: async () => databases.system.query('select 1').then(() => null) },
      { name: `event log (${eventLog.driver})`, check: async () => eventLog.ping().then(() => null) },
      { name: 'consumers', check: async () => this.consumersProblem() },
    ];
  }

  /** The first try; a dependency that is away is waited for behind it. */
  async start(): Promise<void> {
    try {
      await this.tryOnce();
    } catch (error) {
      if (!isWorthWaiting(error)) throw error;
      this.wait(error);
      this.waiting = this.keepTrying();
    }
  }

  async end(graceMs: number): Promise<void> {
    const endMs = performance.now() + graceMs;
    this.stopping.abort();
    await this.waiting;
    await this.consumers?.stop(graceMs);
    await this.options.finish(Math.max(0, endMs - performance.now()));
    await this.options.release();
  }

  private async tryOnce(): Promise<void> {
    if (!this.isPrepared) await this.options.prepare();
    this.isPrepared = true;
    this.consumers = await this.options.consume();
  }

  private async keepTrying(): Promise<void> {
    const { retryMs = 1_000, logger } = this.options;
    for (;;) {
      await wait(retryMs, undefined, { signal: this.stopping.signal }).catch(() => undefined);
      if (this.stopping.signal.aborted) return;
      try {
        await this.tryOnce();
        logger.warn({}, 'What was missing at start is there; consuming');
        return;
      } catch (error) {
        if (isWorthWaiting(error)) this.wait(error);
        else {
          // The process stays up, not ready: what is wrong may be put right from outside, as a migration still to run.
          this.reason = explain(error);
          logger.error({ err: error }, 'Cannot start yet; trying again');
        }
      }
    }
  }

  private wait(error: unknown): void {
    const reason = explain(error);
    if (reason !== this.reason) this.options.logger.warn({ reason }, 'Waiting for what is missing; starts by itself once it is there');
    this.reason = reason;
  }

  private async consumersProblem(): Promise<string | null> {
    if (this.consumers === null) return this.reason;
    const reasons = await Promise.all(this.consumers.strategy.dependencies().filter(({ name }) => name === 'consumers').map(({ check }) => check()));
    return reasons.find((reason) => reason !== null) ?? null;
  }
}

function isWorthWaiting(error: unknown): boolean {
  return isDatabaseAway(error) || (error instanceof TrunklineError && error.definition.class === 'unavailable');
}
