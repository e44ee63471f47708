import { cancelStep } from './cancel.js';
import type { Draft, Of } from './draft.js';
import { deadLetter } from './failure.js';
import { settleDone } from './outcome.js';
import { parkStep } from './park.js';
import type { StepProgress } from './run.js';
import { readyAgain } from './ready-again.js';

/** Two look-ups are never nearer than this, whatever the search declares (delivery §8). */
const betweenLookUpsMs = 2_000;
/** A look-up that began too early is repeated after what it was short of, at most this. */
const longestEarlyWaitMs = 1_000;
/** A look-up that failed is asked again after up to a quarter of the time since the step was first sent: soon after a short outage, rarely in a long one. */
const failedLookUpWait = { shareOfAge: 0.25, leastMs: 2_000, mostMs: 300_000 } as const;

/** What a look-up came to; it counts only for the dispatch it was asked for and only while the step is `unknown` on it. */
export function applyFinding(draft: Draft, happening: Of<'finding'>): void {
  const step = draft.step(happening.stepId);
  if (step?.state !== 'unknown' || happening.dispatch !== step.dispatch) return;
  const { finding } = happening;
  switch (finding.kind) {
    case 'found':
      draft.change(step.id, { attempts: step.attempts + 1 });
      return settleDone(draft, step.id, finding.result, finding.externalId);
    case 'several':
      return parkStep(draft, step.id, 'ambiguous');
    case 'none':
      return applyNone(draft, step, happening.lookedUpAtMs);
    case 'failed': {
      const { stepId } = happening;
      if (finding.class === 'throttled') draft.emit({ kind: 'close-gate', stepId, untilMs: finding.untilMs ?? null, reason: 'throttled' });
      if (finding.class === 'auth') draft.emit({ kind: 'close-gate', stepId, untilMs: null, reason: 'reconnect' });
      const waitMs = 1_000 + waitAfterFailure(draft, step);
      return lookAgainAt(draft, step, Math.max(finding.untilMs ?? 0, draft.nowMs + waitMs));
    }
    default:
      return finding satisfies never;
  }
}

/** Full jitter, as for every other repeat. */
function waitAfterFailure(draft: Draft, step: StepProgress): number {
  const { shareOfAge, leastMs, mostMs } = failedLookUpWait;
  const ageMs = draft.nowMs - (step.firstDispatchedAtMs ?? draft.nowMs);
  return Math.round(Math.min(mostMs, Math.max(leastMs, ageMs * shareOfAge)) * draft.surroundings.random());
}

function applyNone(draft: Draft, step: StepProgress, lookedUpAtMs: number): void {
  const search = draft.surroundings.factsOf(step.id)?.search;
  // A search with no declared bound may find but never prove absence.
  if (search === undefined || search.commitWithinMs === null || search.visibleAfterMs === null) return parkStep(draft, step.id, 'unknown');
  // Too early to prove anything: a copy of the first finding, or clocks that differ. It does not count, and is asked again in time.
  const dueAtMs = step.dueAtMs ?? 0;
  // The bar stays where it was: raised to now each time, a worker whose clock is a little behind would never reach it and ask without end.
  if (lookedUpAtMs < dueAtMs) return draft.emit({ kind: 'look-up', stepId: step.id, dispatch: step.dispatch, dueAtMs: Math.max(draft.nowMs, dueAtMs) + Math.min(dueAtMs - lookedUpAtMs, longestEarlyWaitMs) });
  if (step.lookUps === 0) {
    draft.change(step.id, { lookUps: 1, lastLookUpAtMs: lookedUpAtMs });
    return lookAgainAt(draft, step, Math.max(draft.nowMs, lookedUpAtMs + Math.max(search.visibleAfterMs, betweenLookUpsMs)));
  }
  draft.change(step.id, { lookUps: step.lookUps + 1, lastLookUpAtMs: lookedUpAtMs });
  proveAbsent(draft, step);
}

function proveAbsent(draft: Draft, step: StepProgress): void {
  if (step.cancelRequested) return cancelStep(draft, step.id, false);
  const attempts = step.attempts + (step.ranked === 'unknown' ? 1 : 0);
  if (attempts < draft.planned(step.id).retry.attempts) return readyAgain(draft, step.id, 'not-written');
  draft.change(step.id, { attempts, ranked: 'definitive' });
  deadLetter(draft, step.id, 'attempts-exhausted', `${attempts} attempts ended without an answer, and the provider holds nothing of them (last: ${step.reason ?? 'unknown'})`);
}

function lookAgainAt(draft: Draft, step: StepProgress, dueAtMs: number): void {
  draft.change(step.id, { dueAtMs });
  draft.emit({ kind: 'look-up', stepId: step.id, dispatch: step.dispatch, dueAtMs });
}
