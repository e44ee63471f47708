import type { Draft } from './draft.js';
import { deadLetter, skipBehindFailures } from './failure.js';
import { parkStep } from './park.js';

/** P2: starts every step whose predecessors are all final. A step skipped or broken on the spot may open the next priority at once. */
export function openFrontier(draft: Draft): void {
  for (;;) {
    skipBehindFailures(draft);
    const reached = draft.steps.filter((step) => step.state === 'waiting' && draft.isReached(step.id));
    if (reached.length === 0) return;
    for (const step of reached) enter(draft, step.id);
  }
}

/** Makes a step ready, evaluating its condition and input the first time only: every resend is the same bytes. */
export function enter(draft: Draft, stepId: string): void {
  const step = draft.step(stepId);
  if (step === undefined) return;
  const firstReadyAtMs = step.firstReadyAtMs ?? draft.nowMs;
  if (draft.surroundings.factsOf(stepId) === undefined) {
    draft.change(stepId, { firstReadyAtMs });
    parkStep(draft, stepId, 'integration-gone');
    return;
  }
  let input = step.input;
  if (input === null) {
    const prepared = draft.surroundings.prepare(stepId, draft.results());
    if (prepared.kind === 'skip') {
      draft.change(stepId, { state: 'skipped', reason: prepared.reason, firstReadyAtMs, dueAtMs: null });
      return;
    }
    if (prepared.kind === 'broken') {
      draft.change(stepId, { firstReadyAtMs });
      deadLetter(draft, stepId, prepared.code, prepared.message);
      return;
    }
    input = prepared.input;
  }
  draft.change(stepId, { state: 'ready', reason: null, dueAtMs: null, input, firstReadyAtMs });
  draft.emit({ kind: 'ready', stepId });
}
