import type { Draft, Of } from './draft.js';
import { parkStep } from './park.js';
import { isHarmlessTwice, repeatOf } from './repeat.js';
import { lookUpFrom } from './unknown.js';

/** The gate let a ready step through: a new command under the next dispatch number. */
export function admit(draft: Draft, { stepId, startBeforeMs }: Of<'admit'>): void {
  const step = draft.step(stepId);
  if (step?.state !== 'ready') return;
  const facts = draft.surroundings.factsOf(stepId);
  if (facts === undefined) return parkStep(draft, stepId, 'integration-gone');
  const firstDispatchedAtMs = step.firstDispatchedAtMs ?? draft.nowMs;
  const isForgottenKey = facts.repeat === 'key' && !isHarmlessTwice(repeatOf(facts, { firstDispatchedAtMs, startBeforeMs }));
  // An earlier dispatch may have written and the provider may have forgotten its key: first look, then send.
  // `startBeforeMs` moves past the key's half-life with it, so that the step goes out once absence is proven or a person has answered.
  const wasHarmless = isHarmlessTwice(repeatOf(facts, step));
  if (isForgottenKey && wasHarmless && step.dispatch > 0) {
    lookUpFrom(draft, stepId, 'key-forgotten');
    // From here only a look-up, a person or an ok decides: any other late answer of this dispatch says nothing of the earlier ones.
    draft.change(stepId, { startBeforeMs, attempts: step.ranked === 'unknown' ? step.attempts + 1 : step.attempts, ranked: 'definitive' });
    return;
  }
  draft.change(stepId, {
    state: 'sent',
    dispatch: step.dispatch + 1,
    // A dispatch given up as unknown has used an attempt; it is counted here, so that a definitive answer coming late can still take its place.
    attempts: step.ranked === 'unknown' ? step.attempts + 1 : step.attempts,
    reason: null,
    dueAtMs: null,
    firstDispatchedAtMs,
    startBeforeMs,
    lookUps: 0,
    lastLookUpAtMs: null,
    ranked: 'none',
  });
  draft.emit({ kind: 'dispatch', stepId, dispatch: step.dispatch + 1 });
}
