import CircuitBreaker from 'opossum';
import { IdleEntries } from './idle-entries.js';
import type { BreakerTuning, WorkerMetrics } from './ports.js';

type Task<T> = () => Promise<{ readonly value: T; readonly isDown: boolean }>;

/** Carries a failed call through the breaker, which counts rejections, and out again. */
class ProviderDown extends Error {
  override readonly name = 'ProviderDown';
  constructor(readonly value: unknown) {
    super('the provider is down');
  }
}

export type Guarded<T> = { readonly kind: 'called'; readonly value: T } | { readonly kind: 'open'; readonly untilMs: number };

interface Held {
  readonly breaker: CircuitBreaker<[Task<unknown>], unknown>;
  openedAtMs: number;
  usedAtMs: number;
}

/** Far beyond any counting window: such a breaker knows nothing. */
const idleAfterMs = 15 * 60_000;

/** One breaker per integration: when most calls fail, none is made for a while, then one is tried. */
export class Breakers {
  private readonly held = new Map<string, Held>();
  private readonly idle = new IdleEntries(this.held, ({ breaker, usedAtMs }, nowMs) => breaker.closed && nowMs - usedAtMs > idleAfterMs, (_name, { breaker }) => breaker.shutdown());

  constructor(
    private readonly tuning: BreakerTuning,
    private readonly nowMs: () => number,
    private readonly metrics: WorkerMetrics | undefined,
  ) {}

  /** When it may be tried again, or null when it may be now. */
  openUntilMs(integrationId: string): number | null {
    const held = this.held.get(integrationId);
    if (held === undefined || held.breaker.closed) return null;
    if (held.breaker.halfOpen && held.breaker.pendingClose) return null;
    return this.untilMs(held);
  }

  async run<T>(integrationId: string, provider: string, task: Task<T>): Promise<Guarded<T>> {
    const held = this.of(integrationId, provider);
    held.usedAtMs = this.nowMs();
    try {
      return { kind: 'called', value: (await held.breaker.fire(task)) as T };
    } catch (error) {
      if (error instanceof ProviderDown) return { kind: 'called', value: error.value as T };
      if (error instanceof Error && 'code' in error && error.code === 'EOPENBREAKER') return { kind: 'open', untilMs: this.untilMs(held) };
      throw error;
    }
  }

  get size(): number {
    return this.held.size;
  }

  stop(): void {
    for (const { breaker } of this.held.values()) breaker.shutdown();
  }

  private untilMs({ openedAtMs }: Held): number {
    // While the one try runs, others come back soon.
    return Math.max(openedAtMs + this.tuning.openMs, this.nowMs() + 500);
  }

  private of(integrationId: string, provider: string): Held {
    const known = this.held.get(integrationId);
    if (known !== undefined) return known;
    const breaker = new CircuitBreaker<[Task<unknown>], unknown>(fire, {
      timeout: false,
      errorThresholdPercentage: this.tuning.errorPercentage,
      volumeThreshold: this.tuning.volume,
      rollingCountTimeout: this.tuning.windowMs,
      resetTimeout: this.tuning.openMs,
      // Our own mistakes say nothing about the provider.
      errorFilter: (error: unknown) => !(error instanceof ProviderDown),
    });
    const held: Held = { breaker, openedAtMs: Number.NEGATIVE_INFINITY, usedAtMs: this.nowMs() };
    breaker.on('open', () => {
      held.openedAtMs = this.nowMs();
      this.metrics?.breaker(provider, 'open');
    });
    breaker.on('halfOpen', () => this.metrics?.breaker(provider, 'half-open'));
    breaker.on('close', () => this.metrics?.breaker(provider, 'closed'));
    this.idle.sweep(this.nowMs());
    this.held.set(integrationId, held);
    return held;
  }
}

async function fire(task: Task<unknown>): Promise<unknown> {
  const { value, isDown } = await task();
  if (isDown) throw new ProviderDown(value);
  return value;
}
