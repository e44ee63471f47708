import type { Draft } from './draft.js';
import type { Run } from './run.js';
import { isFinal, type RunState } from './state.js';

/** Works out what follows from all steps together: subjects let go, the run's state, its end. */
export function conclude(draft: Draft): Run {
  const before = new Map(draft.run.steps.map((step) => [step.id, step.state]));
  const reopened = new Set(draft.effects.flatMap((effect) => (effect.kind === 'reopened' ? [effect.stepId] : [])));
  for (const step of draft.steps) {
    // A reopened step may end again at once, behind another failure; its new number on the subject is let go with it.
    const wasFinal = isFinal(before.get(step.id) ?? 'waiting') && !reopened.has(step.id);
    if (!wasFinal && isFinal(step.state) && draft.planned(step.id).ordering === 'subject') draft.emit({ kind: 'release-subject', stepId: step.id });
  }
  const state = runStateOf(draft);
  if (state !== draft.run.state && state !== 'running' && state !== 'parked') draft.emit({ kind: 'finished', state });
  return { ...draft.run, state, steps: draft.steps };
}

function runStateOf(draft: Draft): RunState {
  const { steps } = draft;
  if (steps.some((step) => step.state === 'ready' || step.state === 'sent' || step.state === 'deferred' || step.state === 'unknown')) return 'running';
  if (steps.some((step) => step.state === 'parked')) return 'parked';
  if (steps.some((step) => step.state === 'cancelled')) return 'cancelled';
  const failed = steps.filter((step) => step.state === 'dead-lettered');
  if (failed.length === 0) return 'done';
  return failed.some((step) => draft.planned(step.id).onFailure === 'stop') ? 'dead-lettered' : 'done-with-failures';
}
