import type { PlannedStep, Prepared } from '@trunkline/chain';
import { compileCondition, compileMapping, MappingError, type Condition, type Context, type Mapping } from '@trunkline/mapping';
import type { CompileChain } from './compile.js';

interface CompiledStep {
  readonly condition: Condition | null;
  readonly input: Mapping;
}

/** Compiles the conditions and inputs of a chain version. A step that does not compile breaks its own runs only, when it is reached. */
export const compileInputs: CompileChain = (steps) => {
  const compiled = new Map(steps.map((step) => [step.id, attempt(() => compileStep(step))]));
  return {
    prepare(stepId, event, results, acceptedAtMs) {
      const step = compiled.get(stepId);
      if (step === undefined) return { kind: 'broken', code: 'chain.step_unknown', message: `the chain has no step ${stepId}` };
      if (step.problem !== undefined) return step.problem;
      const context: Context = { event, steps: results, now: new Date(acceptedAtMs).toISOString() };
      const prepared = attempt(() => prepareStep(step.value, context));
      return prepared.problem ?? prepared.value;
    },
  };
};

function compileStep(step: PlannedStep): CompiledStep {
  return { condition: step.condition === null ? null : compileCondition(step.condition), input: compileMapping(step.input) };
}

function prepareStep({ condition, input }: CompiledStep, context: Context): Prepared {
  if (condition !== null && !condition.holds(context)) return { kind: 'skip', reason: 'condition' };
  return { kind: 'run', input: JSON.stringify(input.map(context)) };
}

type Attempted<T> = { readonly value: T; readonly problem?: undefined } | { readonly problem: Prepared };

function attempt<T>(act: () => T): Attempted<T> {
  try {
    return { value: act() };
  } catch (error) {
    if (!(error instanceof MappingError)) throw error;
    return { problem: { kind: 'broken', code: error.code, message: error.message } };
  }
}
