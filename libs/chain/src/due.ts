import type { Draft, Of } from './draft.js';
import { enter } from './frontier.js';
import { isUndecided } from './park.js';

/** A deferred or parked step comes back; an `unknown` one is looked up again, not earlier than it may be. Parked `unknown` and `ambiguous` stay. */
export function due(draft: Draft, { stepId }: Of<'due'>): void {
  const step = draft.step(stepId);
  if (step === undefined) return;
  if (step.state === 'unknown') {
    // From when a look-up counts stays as it was: the worker's clock may be a little behind ours.
    draft.emit({ kind: 'look-up', stepId, dispatch: step.dispatch, dueAtMs: Math.max(draft.nowMs, step.dueAtMs ?? 0) });
    return;
  }
  if (step.state === 'parked' && !isUndecided(step.reason)) {
    // After `max_wait` somebody brought it back by hand: the wait starts anew.
    if (step.reason === 'provider-down') draft.change(stepId, { firstReadyAtMs: draft.nowMs });
    return enter(draft, stepId);
  }
  if (step.state === 'deferred') enter(draft, stepId);
}
