import type { ActionFacts } from './plan.js';
import type { ParkingReason, RunState, StepState } from './state.js';

/** A JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** How a step stands. Times are epoch milliseconds of the database clock. */
export interface StepProgress {
  readonly id: string;
  readonly state: StepState;
  /** Number of the latest command; 0 before the first. */
  readonly dispatch: number;
  /** Attempts that reached the provider. */
  readonly attempts: number;
  /** Why it waits, is parked, skipped or dead-lettered; a code. */
  readonly reason: string | ParkingReason | null;
  readonly dueAtMs: number | null;
  /** From here `max_wait` runs. */
  readonly firstReadyAtMs: number | null;
  readonly firstDispatchedAtMs: number | null;
  /** Of the latest command: past it no call is started, and past it plus the step's time-out none is running. */
  readonly startBeforeMs: number | null;
  /** Mapped input as JSON text, kept from the first dispatch so that every resend is the same bytes. */
  readonly input: string | null;
  readonly result: Json;
  readonly externalId: string | null;
  readonly cancelRequested: boolean;
  /** While `unknown`: the look-ups made for this dispatch. */
  readonly lookUps: number;
  readonly lastLookUpAtMs: number | null;
  /** True once the outcome of `dispatch` has been ranked (guards duplicates and both orders of arrival). */
  readonly ranked: 'none' | 'unknown' | 'definitive' | 'ok';
}

export interface Run {
  readonly state: RunState;
  readonly acceptedAtMs: number;
  readonly steps: readonly StepProgress[];
}

/** What one command came to, as its worker saw it. */
export type StepOutcome =
  | { readonly kind: 'ok'; readonly result: Json; readonly externalId: string | null }
  /** The provider said no for good; `data`, `conflict` or `bug`. */
  | { readonly kind: 'failed'; readonly class: 'data' | 'conflict' | 'bug'; readonly code: string; readonly message: string }
  /** Proven (or harmless, for `key`/`upsert`) not to have been done; repeat with back-off, an attempt is used. */
  | { readonly kind: 'transient'; readonly code: string; readonly message: string; readonly retryAfterMs?: number; readonly reached: boolean }
  /** The gate closes until then, `provider-down` when the breaker is open; no attempt is used (P6). */
  | { readonly kind: 'throttled'; readonly untilMs: number; readonly code: string; readonly message: string; readonly gate?: 'throttled' | 'provider-down' }
  /** Credentials refused or gone; the gate closes with `reconnect`; no attempt is used (P6). */
  | { readonly kind: 'auth'; readonly code: string; readonly message: string }
  /** The worker came too late (`startBefore`); no attempt is used. */
  | { readonly kind: 'expired' }
  /** An effect may or may not exist (P4). `expiresAtMs`: the intent's, where the worker knows it; look-ups may then begin earlier than by `startBeforeMs`. */
  | { readonly kind: 'unknown'; readonly code: string; readonly message: string; readonly expiresAtMs?: number }
  | { readonly kind: 'parked'; readonly reason: 'worker-older-than-plan' | 'integration-gone' };

/** What a look-up after an `unknown` came to. */
export type Finding =
  | { readonly kind: 'found'; readonly result: Json; readonly externalId: string | null }
  | { readonly kind: 'none' }
  | { readonly kind: 'several'; readonly count: number }
  /** Throttled, unauthorised or failed: the step stays `unknown` and is looked up again. */
  | { readonly kind: 'failed'; readonly class: 'throttled' | 'auth' | 'transient'; readonly code: string; readonly message: string; readonly untilMs?: number };

/** Everything that can happen to a run. The caller gives `nowMs` (database clock) beside it. */
export type Happening =
  /** Just planned. */
  | { readonly kind: 'start' }
  /** The gate (and, for ordered steps, the subject's turn) let a `ready` step through: it becomes `sent` under the next dispatch number. (A `key` older than half its life becomes `unknown` instead and is looked up.) `startBeforeMs` is the command's. */
  | { readonly kind: 'admit'; readonly stepId: string; readonly startBeforeMs: number }
  | { readonly kind: 'result'; readonly stepId: string; readonly dispatch: number; readonly outcome: StepOutcome }
  /** A deferred step's time, or a parked step's retry, has come (or somebody processes the queue); or the look-up of an `unknown` step went unanswered and must be sent again. */
  | { readonly kind: 'due'; readonly stepId: string }
  /** The sweeper found this dispatch overdue. `void`: it wrote the intent itself, or found one that is void, so no call was or will be made; `open`: a call may have been made (`expiresAtMs` is the open row's, later than the command's where its worker was slow); `none`: the action keeps no intents (`key`, `upsert`, unordered). */
  | { readonly kind: 'swept'; readonly stepId: string; readonly dispatch: number; readonly intent: 'void' | 'open' | 'none'; readonly expiresAtMs?: number }
  /** `lookedUpAtMs`: when the look-up began, on the database clock; a copy of an earlier finding must not count as the second look-up. */
  | { readonly kind: 'finding'; readonly stepId: string; readonly dispatch: number; readonly lookedUpAtMs: number; readonly finding: Finding }
  | { readonly kind: 'answered-by-person'; readonly stepId: string; readonly answer: { readonly kind: 'done'; readonly externalId: string | null } | { readonly kind: 'not-done' } }
  /** `max_wait` has passed, the integration is gone, … */
  | { readonly kind: 'park'; readonly stepId: string; readonly reason: ParkingReason }
  | { readonly kind: 'cancel' }
  | { readonly kind: 'redrive' };

/** What follows and must be written in the same transaction. */
export type Effect =
  /** The step may run: ask its gate; if closed, it stays `ready` as due work. */
  | { readonly kind: 'ready'; readonly stepId: string }
  /** Send the command of this dispatch (state is `sent`). */
  | { readonly kind: 'dispatch'; readonly stepId: string; readonly dispatch: number }
  /** Send a look-up for this dispatch at `dueAtMs` (state stays `unknown`). */
  | { readonly kind: 'look-up'; readonly stepId: string; readonly dispatch: number; readonly dueAtMs: number }
  /** Bring the step back at `dueAtMs` (deferred; parked with a retry). */
  | { readonly kind: 'wake'; readonly stepId: string; readonly dueAtMs: number }
  | { readonly kind: 'dead-letter'; readonly stepId: string; readonly code: string; readonly message: string }
  /** A late `ok` made a dead-lettered step done. */
  | { readonly kind: 'close-dead-letter'; readonly stepId: string }
  | { readonly kind: 'close-gate'; readonly stepId: string; readonly untilMs: number | null; readonly reason: 'throttled' | 'reconnect' | 'provider-down' }
  /** A redrive or a late `ok` brought the step back from a final state: an ordered one needs a new number on its subject. */
  | { readonly kind: 'reopened'; readonly stepId: string }
  /** The step no longer holds its subject; only for `ordering: subject`. */
  | { readonly kind: 'release-subject'; readonly stepId: string }
  | { readonly kind: 'finished'; readonly state: RunState };

/** What the ledger knows and the pure engine needs: conditions and inputs are evaluated by `mapping`, facts come from the provider's definition. */
export interface Surroundings {
  readonly nowMs: number;
  /** Called once per step, when it first could run. `results` holds the `result` of every done step by step name. */
  prepare(stepId: string, results: Readonly<Record<string, Json>>): Prepared;
  /** Undefined: the integration or action is gone. */
  factsOf(stepId: string): ActionFacts | undefined;
  /** Random in [0, 1) for jitter; seeded in tests. */
  random(): number;
}

export type Prepared =
  | { readonly kind: 'run'; readonly input: string }
  | { readonly kind: 'skip'; readonly reason: string }
  | { readonly kind: 'broken'; readonly code: string; readonly message: string };

/** The answer of the engine: the run as it stands now and what must be written with it. A happening that changes nothing gives the same run object and no effects. */
export interface Advanced {
  readonly run: Run;
  readonly effects: readonly Effect[];
  /** The happening speaks of a dispatch this copy of the run has not seen: read the run again and decide again, or the result is lost. */
  readonly isStale?: true;
}
