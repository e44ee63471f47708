import { cancelStep, mayHaveWritten } from './cancel.js';
import type { Draft, Of } from './draft.js';
import type { ParkingReason } from './state.js';

/** A worker older than the plan is likely to be replaced soon (delivery §9). */
const retryOlderWorkerMs = 60_000;

/** The step needs someone. If its run was cancelled meanwhile nobody is asked: it ends, reported as possibly written where that is so. */
export function parkStep(draft: Draft, stepId: string, reason: ParkingReason): void {
  const step = draft.step(stepId);
  if (step === undefined) return;
  if (step.cancelRequested) return cancelStep(draft, stepId, isUndecided(reason) || mayHaveWritten(draft, step));
  const dueAtMs = reason === 'worker-older-than-plan' ? draft.nowMs + retryOlderWorkerMs : null;
  draft.change(stepId, { state: 'parked', reason, dueAtMs });
  if (dueAtMs !== null) draft.emit({ kind: 'wake', stepId, dueAtMs });
}

/** `max_wait` has passed, or the integration is gone. What waits for an answer of the provider (`sent`) is not parked. */
export function park(draft: Draft, { stepId, reason }: Of<'park'>): void {
  const step = draft.step(stepId);
  if (step === undefined) return;
  // Under any other reason a due time or process-queue would send it again (P4).
  if (step.state === 'unknown') return parkStep(draft, stepId, isUndecided(reason) ? reason : 'unknown');
  if (step.state === 'ready' || step.state === 'deferred') parkStep(draft, stepId, reason);
}

/** Reasons under which an effect may exist: only a person or a result moves the step. */
export function isUndecided(reason: string | null): boolean {
  return reason === 'unknown' || reason === 'ambiguous';
}
