import type { Draft, Of } from './draft.js';
import { settleDone } from './outcome.js';
import { isUndecided } from './park.js';
import { cancelStep } from './cancel.js';
import { readyAgain } from './ready-again.js';

/** A person has looked at the provider and says whether the effect exists. */
export function answeredByPerson(draft: Draft, { stepId, answer }: Of<'answered-by-person'>): void {
  const step = draft.step(stepId);
  if (step === undefined) return;
  const isAsked = step.state === 'unknown' || (step.state === 'parked' && isUndecided(step.reason));
  if (!isAsked) return;
  if (answer.kind === 'done') return settleDone(draft, stepId, answer.externalId === null ? null : { external_id: answer.externalId }, answer.externalId);
  if (step.cancelRequested) return cancelStep(draft, stepId, false);
  readyAgain(draft, stepId, 'not-written');
}
