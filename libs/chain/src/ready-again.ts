import { cancelStep, mayHaveWritten } from './cancel.js';
import type { Draft } from './draft.js';

/** The step may be sent again under the next dispatch number, and ends here instead if its run was cancelled meanwhile. */
export function readyAgain(draft: Draft, stepId: string, reason: string): void {
  const step = draft.step(stepId);
  if (step === undefined) return;
  if (step.cancelRequested) return cancelStep(draft, stepId, mayHaveWritten(draft, step));
  draft.change(stepId, { state: 'ready', reason, dueAtMs: null });
  draft.emit({ kind: 'ready', stepId });
}
