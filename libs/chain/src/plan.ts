import type { RepeatMethod } from './state.js';

/** What happens to the rest of the chain when a step fails for good. */
export type FailureRule = 'stop' | 'continue' | 'skip_dependants';

export interface RetryRule {
  /** Attempts that reached the provider, the first included. */
  readonly attempts: number;
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
}

/** One step as pinned by a chain version (P8): what to do and in which order, without credentials, addresses, limits or provider code. */
export interface PlannedStep {
  /** Given once, survives renaming. */
  readonly id: string;
  readonly name: string;
  readonly integrationId: string;
  readonly provider: string;
  readonly action: string;
  /** Lower first; equal numbers run together. */
  readonly priority: number;
  /** CEL source, or null: always. */
  readonly condition: string | null;
  /** Target field → path or CEL expression; opaque here. */
  readonly input: Readonly<Record<string, unknown>>;
  readonly onFailure: FailureRule;
  readonly timeoutMs: number;
  readonly retry: RetryRule;
  readonly ordering: 'none' | 'subject';
  /** Ids of the earlier steps that condition or input read. */
  readonly reads: readonly string[];
}

export interface Plan {
  readonly steps: readonly PlannedStep[];
}

/** What the provider's definition says of an action today; not pinned. */
export interface ActionFacts {
  readonly family: string;
  readonly repeat: RepeatMethod;
  /** How long the provider remembers an idempotency key; only for `key`. */
  readonly keyTtlMs?: number;
  /** A search can find what was written; with both bounds it can also prove absence. */
  readonly search?: { readonly commitWithinMs: number | null; readonly visibleAfterMs: number | null };
}
