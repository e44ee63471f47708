import type { Databases } from '@trunkline/storage';
import type { Clock, Outbound } from '@trunkline/outbound';
import type { EventLog } from '@trunkline/event-log';
import type { GrantTuning } from '@trunkline/grants';
import type { Provider } from '@trunkline/connectors';
import type { Vault } from '@trunkline/vault';

export interface WorkerLogger {
  warn(facts: Readonly<Record<string, unknown>>, message: string): void;
}

export interface WorkerMetrics {
  providerCall(provider: string, action: string, outcome: string, durationMs: number): void;
  providerThrottled(provider: string, reason: string): void;
  breaker(provider: string, state: 'closed' | 'half-open' | 'open'): void;
}

export interface WorkerOptions {
  readonly family: string;
  readonly providers: readonly Provider[];
  readonly databases: Databases;
  readonly eventLog: EventLog;
  readonly vault: Vault;
  /** Told apart in attempts and intents; by default host and process. */
  readonly workerId?: string;
  readonly outbound?: Outbound;
  readonly clock?: Clock;
  readonly logger?: WorkerLogger;
  readonly metrics?: WorkerMetrics;
  readonly tuning?: Partial<WorkerTuning>;
}

export interface WorkerTuning {
  /** A call that takes longer is handed over, so that its partition goes on. */
  readonly handOverMs: number;
  /** How long a command may wait for the budget or a free place before it is given back. */
  readonly budgetWaitMs: number;
  /** How late a changed setting or credential may be noticed: `config.changes` does not reach the workers, whose group would give each hint to one of them only. */
  readonly configLifeMs: number;
  /** Tokens that people granted. */
  readonly grants: Partial<GrantTuning>;
  /** How often grants are looked for that nobody has used for too long. */
  readonly keepAliveMs: number;
  readonly breaker: BreakerTuning;
}

export interface BreakerTuning {
  readonly errorPercentage: number;
  readonly volume: number;
  readonly windowMs: number;
  readonly openMs: number;
}

export const usualTuning: WorkerTuning = {
  handOverMs: 2_000,
  budgetWaitMs: 2_000,
  configLifeMs: 5_000,
  grants: {},
  keepAliveMs: 10 * 60_000,
  breaker: { errorPercentage: 50, volume: 10, windowMs: 10_000, openMs: 10_000 },
};
