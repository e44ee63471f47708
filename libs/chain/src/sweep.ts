import type { Draft, Of } from './draft.js';
import { readyAgain } from './ready-again.js';
import { isHarmlessTwice, repeatOf } from './repeat.js';
import { lookUpFrom } from './unknown.js';

/** The sweeper found this dispatch overdue, with `results` read past its time (delivery §8). */
export function applySwept(draft: Draft, { stepId, dispatch, intent, expiresAtMs }: Of<'swept'>): void {
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
  // A worker that lost time before its intent has a later deadline than the command promised.
  const callsEndMs = Math.max((step.startBeforeMs ?? 0) + draft.planned(stepId).timeoutMs, expiresAtMs ?? draft.nowMs);
  lookUpFrom(draft, stepId, 'swept', callsEndMs);
}
