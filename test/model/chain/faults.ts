import { advance, type Happening, type Run, type StepProgress } from '@trunkline/chain';
import type { Engine } from './world.js';

/** Engines that are wrong in one way each. */
export const faults: Readonly<Record<string, Engine>> = {
  'ignores the dispatch number of a result': (plan, run, happening, surroundings) => advance(plan, run, happening.kind === 'result' ? { ...happening, dispatch: stepIn(run, happening.stepId)?.dispatch ?? happening.dispatch } : happening, surroundings),

  'lets unknown outrank ok': (plan, run, happening, surroundings) => {
    if (happening.kind !== 'result' || happening.outcome.kind !== 'unknown') return advance(plan, run, happening, surroundings);
    const isLate = stepIn(run, happening.stepId)?.dispatch === happening.dispatch;
    return advance(plan, isLate ? patched(run, happening.stepId, { state: 'sent', ranked: 'none' }) : run, happening, surroundings);
  },

  'sends an unknown step again': (plan, run, happening, surroundings) => advance(plan, run, happening.kind === 'result' && happening.outcome.kind === 'unknown' ? { ...happening, outcome: { kind: 'expired' } } : happening, surroundings),

  'starts a step before its predecessor has ended': (plan, run, happening, surroundings) => advance({ steps: plan.steps.map((step) => ({ ...step, priority: 10 })) }, run, happening, surroundings),

  'counts throttling as an attempt': (plan, run, happening, surroundings) => {
    const advanced = advance(plan, run, happening, surroundings);
    if (happening.kind !== 'result' || happening.outcome.kind !== 'throttled' || advanced.run === run) return advanced;
    return { ...advanced, run: patched(advanced.run, happening.stepId, { attempts: (stepIn(run, happening.stepId)?.attempts ?? 0) + 1 }) };
  },

  'forgets to let the subject go': (plan, run, happening, surroundings) => {
    const advanced = advance(plan, run, happening, surroundings);
    return { ...advanced, effects: advanced.effects.filter((effect) => effect.kind !== 'release-subject' || stepIn(advanced.run, effect.stepId)?.state !== 'skipped') };
  },

  'lets a late result overwrite a final state': (plan, run, happening, surroundings) => {
    if (happening.kind !== 'result' || happening.outcome.kind === 'ok') return advance(plan, run, happening, surroundings);
    const state = stepIn(run, happening.stepId)?.state;
    return advance(plan, state === 'cancelled' || state === 'dead-lettered' ? patched(run, happening.stepId, { state: 'sent', ranked: 'none' }) : run, happening, surroundings);
  },

  'loses the request to cancel': (plan, run, happening, surroundings) => {
    const advanced = advance(plan, run, happening, surroundings);
    return happening.kind === 'cancel' && advanced.run !== run ? { ...advanced, run: { ...advanced.run, steps: advanced.run.steps.map((step) => ({ ...step, cancelRequested: false })) } } : advanced;
  },

  'counts a copy of the first finding as the second': (plan, run, happening, surroundings) => advance(plan, run, happening.kind === 'finding' ? { ...happening, lookedUpAtMs: Number.MAX_SAFE_INTEGER } : happening, surroundings),

  'sends a forgotten key again': (plan, run, happening, surroundings) => advance(plan, run, happening, { ...surroundings, factsOf: (stepId) => withoutLife(surroundings.factsOf(stepId), happening) }),
};

function withoutLife(facts: ReturnType<Parameters<Engine>[3]['factsOf']>, happening: Happening): typeof facts {
  return facts !== undefined && happening.kind === 'admit' ? { ...facts, keyTtlMs: undefined } : facts;
}

function stepIn(run: Run, stepId: string): StepProgress | undefined {
  return run.steps.find((step) => step.id === stepId);
}

function patched(run: Run, stepId: string, patch: Partial<StepProgress>): Run {
  return { ...run, steps: run.steps.map((step) => (step.id === stepId ? { ...step, ...patch } : step)) };
}
