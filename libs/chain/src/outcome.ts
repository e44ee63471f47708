import { cancelStep, mayHaveWritten } from './cancel.js';
import type { Draft, Of } from './draft.js';
import { deadLetter } from './failure.js';
import { parkStep } from './park.js';
import { readyAgain } from './ready-again.js';
import { reopenBecauseOf } from './redrive.js';
import { backOffMs } from './retry.js';
import type { Json, StepOutcome, StepProgress } from './run.js';
import { isFinal } from './state.js';
import { becomeUnknown } from './unknown.js';

const ranks = ['none', 'unknown', 'definitive', 'ok'] as const satisfies readonly StepProgress['ranked'][];

/** Ranks a result (delivery §7): within one dispatch ok > definitive > unknown, in either order of arrival; across dispatches only ok counts. */
export function applyResult(draft: Draft, { stepId, dispatch, outcome }: Of<'result'>): void {
  const step = draft.step(stepId);
  if (step === undefined) return;
  if (outcome.kind === 'ok') {
    if (step.state === 'done') return;
    if (dispatch === step.dispatch && isUncounted(step)) draft.change(stepId, { attempts: step.attempts + 1 });
    return settleDone(draft, stepId, outcome.result, outcome.externalId);
  }
  const ranked = outcome.kind === 'unknown' ? 'unknown' : 'definitive';
  if (dispatch !== step.dispatch || isFinal(step.state) || step.state === 'waiting' || ranks.indexOf(ranked) <= ranks.indexOf(step.ranked)) return;
  draft.change(stepId, { ranked });
  applyOutcome(draft, step, outcome);
}

/** Has the dispatch in hand not been counted among the attempts yet? An `unknown` that is looked up is counted when it is decided. */
function isUncounted(step: StepProgress): boolean {
  return step.ranked === 'none' || step.state === 'unknown';
}

/** P4: an `ok` is the truth whenever it comes. For a dead-lettered step it closes the dead letter, and the chain that stopped there continues. */
export function settleDone(draft: Draft, stepId: string, result: Json, externalId: string | null): void {
  const step = draft.step(stepId);
  if (step === undefined) return;
  draft.change(stepId, { state: 'done', result, externalId, reason: null, dueAtMs: null, ranked: 'ok' });
  if (step.state !== 'dead-lettered') return;
  draft.emit({ kind: 'close-dead-letter', stepId });
  const isCancelled = draft.steps.some((other) => other.state === 'cancelled' || other.cancelRequested);
  if (!isCancelled) reopenBecauseOf(draft, new Set([stepId]));
}

function applyOutcome(draft: Draft, step: StepProgress, outcome: Exclude<StepOutcome, { readonly kind: 'ok' }>): void {
  const stepId = step.id;
  switch (outcome.kind) {
    case 'unknown':
      return becomeUnknown(draft, stepId, outcome.code, outcome.expiresAtMs);
    case 'failed':
      if (isUncounted(step)) draft.change(stepId, { attempts: step.attempts + 1 });
      if (step.cancelRequested) return cancelStep(draft, stepId, mayHaveWritten(draft, step));
      return deadLetter(draft, stepId, outcome.code, outcome.message);
    case 'transient':
      return retryLater(draft, step, outcome);
    // P6: no attempt is used; the gate closes once for all steps of the integration.
    case 'throttled':
      draft.emit({ kind: 'close-gate', stepId, untilMs: outcome.untilMs, reason: outcome.gate ?? 'throttled' });
      return readyAgain(draft, stepId, outcome.gate ?? 'throttled');
    case 'auth':
      draft.emit({ kind: 'close-gate', stepId, untilMs: null, reason: 'reconnect' });
      return readyAgain(draft, stepId, 'reconnect');
    case 'expired':
      return readyAgain(draft, stepId, 'expired');
    case 'parked':
      return parkStep(draft, stepId, outcome.reason);
    default:
      return outcome satisfies never;
  }
}

function retryLater(draft: Draft, step: StepProgress, outcome: Extract<StepOutcome, { readonly kind: 'transient' }>): void {
  const { retry } = draft.planned(step.id);
  const attempts = step.attempts + (outcome.reached ? 1 : 0);
  draft.change(step.id, { attempts });
  if (step.cancelRequested) return cancelStep(draft, step.id, mayHaveWritten(draft, step));
  if (outcome.reached && attempts >= retry.attempts) return deadLetter(draft, step.id, outcome.code, outcome.message);
  const waitMs = backOffMs(retry, outcome.reached ? attempts : step.dispatch, draft.surroundings.random());
  const dueAtMs = draft.nowMs + Math.max(waitMs, outcome.retryAfterMs ?? 0);
  draft.change(step.id, { state: 'deferred', reason: outcome.code, dueAtMs });
  draft.emit({ kind: 'wake', stepId: step.id, dueAtMs });
}
