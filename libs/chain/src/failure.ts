import type { Draft } from './draft.js';
import type { Plan } from './plan.js';
import type { StepProgress } from './run.js';

/** The step has failed for good; what it means for the rest of the chain is decided by `skipBehindFailures`. */
export function deadLetter(draft: Draft, stepId: string, code: string, message: string): void {
  draft.change(stepId, { state: 'dead-lettered', reason: code, dueAtMs: null });
  draft.emit({ kind: 'dead-letter', stepId, code, message });
}

/** `stop` skips every later step, `skip_dependants` those that read the failed one, directly or through others; `continue` none. */
export function skipBehindFailures(draft: Draft): void {
  for (const failed of draft.steps) {
    if (failed.state !== 'dead-lettered') continue;
    const { onFailure, priority } = draft.planned(failed.id);
    if (onFailure === 'continue') continue;
    const dependants = onFailure === 'skip_dependants' ? dependantsOf(draft.plan, failed.id) : null;
    for (const step of draft.steps) {
      if (step.state !== 'waiting') continue;
      const isSkipped = dependants === null ? draft.planned(step.id).priority > priority : dependants.has(step.id);
      if (isSkipped) draft.change(step.id, { state: 'skipped', reason: `${dependants === null ? stoppedBy : dependsOn}${failed.id}` });
    }
  }
}

/** Whether the step was skipped because of this other one, and so comes back with it. */
export function isSkippedBecauseOf(step: StepProgress, failedId: string): boolean {
  return step.state === 'skipped' && (step.reason === `${stoppedBy}${failedId}` || step.reason === `${dependsOn}${failedId}`);
}

const stoppedBy = 'stopped-by:';
const dependsOn = 'depends-on:';

function dependantsOf(plan: Plan, stepId: string): ReadonlySet<string> {
  const found = new Set([stepId]);
  for (let before = 0; before !== found.size; ) {
    before = found.size;
    for (const step of plan.steps) if (step.reads.some((read) => found.has(read))) found.add(step.id);
  }
  found.delete(stepId);
  return found;
}
