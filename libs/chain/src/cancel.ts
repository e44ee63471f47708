import type { Draft } from './draft.js';
import { isHarmlessTwice } from './repeat.js';
import type { StepProgress } from './run.js';

/** Ends what waits at once; what may be at the provider is asked to end as it settles and holds its subject until then (delivery §9). */
export function cancel(draft: Draft): void {
  for (const step of draft.steps) {
    switch (step.state) {
      case 'waiting':
      case 'ready':
      case 'deferred':
      case 'parked':
        cancelStep(draft, step.id, mayHaveWritten(draft, step));
        break;
      case 'sent':
      case 'unknown':
        if (!step.cancelRequested) draft.change(step.id, { cancelRequested: true });
        break;
      case 'done':
      case 'skipped':
      case 'dead-lettered':
      case 'cancelled':
        break;
      default:
        step.state satisfies never;
    }
  }
}

export function cancelStep(draft: Draft, stepId: string, isPossiblyWritten: boolean): void {
  draft.change(stepId, { state: 'cancelled', reason: isPossiblyWritten ? 'possibly-written' : 'cancelled', dueAtMs: null });
}

/** Whether an earlier dispatch may have had its effect. `search-first` and `never` leave `sent` only with proof or as unknown; `key` and `upsert` are resent without one. */
export function mayHaveWritten(draft: Draft, step: StepProgress): boolean {
  if (step.dispatch === 0) return false;
  if (step.state === 'parked' && (step.reason === 'unknown' || step.reason === 'ambiguous')) return true;
  const facts = draft.surroundings.factsOf(step.id);
  return facts === undefined || isHarmlessTwice(facts.repeat);
}
