import type { Plan } from './plan.js';
import type { Run, StepProgress } from './run.js';

/** The run of an event under a pinned plan (P8), before anything has happened. Without steps it is `done`, so that the event can be found. */
export function planRun(plan: Plan, acceptedAtMs: number): Run {
  return { state: plan.steps.length === 0 ? 'done' : 'running', acceptedAtMs, steps: plan.steps.map((step) => waiting(step.id)) };
}

function waiting(id: string): StepProgress {
  return {
    id,
    state: 'waiting',
    dispatch: 0,
    attempts: 0,
    reason: null,
    dueAtMs: null,
    firstReadyAtMs: null,
    firstDispatchedAtMs: null,
    startBeforeMs: null,
    input: null,
    result: null,
    externalId: null,
    cancelRequested: false,
    lookUps: 0,
    lastLookUpAtMs: null,
    ranked: 'none',
  };
}
