import type { Draft } from './draft.js';
import { isSkippedBecauseOf } from './failure.js';

/** Same run, next dispatch: dead-lettered steps and those skipped because of them come back, and the chain continues from there. */
export function redrive(draft: Draft): void {
  const failed = new Set(draft.steps.filter((step) => step.state === 'dead-lettered').map((step) => step.id));
  if (failed.size === 0) return;
  for (const stepId of failed) reopen(draft, stepId);
  reopenBecauseOf(draft, failed);
}

export function reopenBecauseOf(draft: Draft, failed: ReadonlySet<string>): void {
  for (const step of draft.steps) if ([...failed].some((failedId) => isSkippedBecauseOf(step, failedId))) reopen(draft, step.id);
  holdBack(draft);
}

/** A step that was sent keeps its input; one that never was is mapped anew, from results that may have come since. */
function reopen(draft: Draft, stepId: string): void {
  const step = draft.step(stepId);
  if (step === undefined) return;
  const input = step.dispatch === 0 ? null : step.input;
  draft.change(stepId, { state: 'waiting', reason: null, dueAtMs: null, attempts: 0, firstReadyAtMs: null, input });
  draft.emit({ kind: 'reopened', stepId });
}

/** P2: a step that was about to start behind a failure the chain went on from waits for the reopened ones. */
function holdBack(draft: Draft): void {
  for (const step of draft.steps) {
    const hasNotStarted = step.dispatch === 0 && (step.state === 'ready' || step.state === 'parked');
    if (hasNotStarted && !draft.isReached(step.id)) draft.change(step.id, { state: 'waiting', reason: null, dueAtMs: null, firstReadyAtMs: null, input: null });
  }
}
