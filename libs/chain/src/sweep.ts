import type { Draft, Of } from './draft.js';
import { readyAgain } from './ready-again.js';
import { isHarmlessTwice, repeatOf } from './repeat.js';
import { lookUpFrom } from './unknown.js';

/** The sweeper found this dispatch overdue, with `results` read past its time (delivery §8). */
export function applySwept(draft: Draft, { stepId, dispatch, intent }: Of<'swept'>): void {
  const step = draft.step(stepId);
  if (step?.state !== 'sent' || dispatch !== step.dispatch) return;
  if (intent === 'void') {
    // The sweeper's own row forbids the call: nothing of this dispatch can come any more.
    draft.change(stepId, { ranked: 'definitive' });
    return readyAgain(draft, stepId, 'never-started');
  }
  const facts = draft.surroundings.factsOf(stepId);
  if (facts !== undefined && isHarmlessTwice(repeatOf(facts, step))) return readyAgain(draft, stepId, 'swept');
  draft.change(stepId, { ranked: 'unknown' });
  lookUpFrom(draft, stepId, 'swept');
}
