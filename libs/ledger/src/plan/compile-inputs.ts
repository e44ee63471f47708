import { Environment } from '@marcbachmann/cel-js';
import type { Json, PlannedStep } from '@trunkline/chain';
import type { CompileChain, EventView } from './compile.js';

type Read = (event: EventView, steps: Readonly<Record<string, Json>>) => unknown;

const environment = new Environment({ unlistedVariablesAreDyn: true }).registerFunction('default(dyn, dyn): dyn', (value: unknown, otherwise: unknown) => value ?? otherwise);

/** Conditions and inputs of a chain version: `{path}`, `{cel}` or `{value}` per target field. */
export const compileInputs: CompileChain = (steps) => {
  const compiled = new Map(steps.map((step) => [step.id, compileStep(step)]));
  return {
    prepare(stepId, event, results) {
      const step = compiled.get(stepId);
      if (step === undefined) return { kind: 'broken', code: 'chain.step_unknown', message: stepId };
      try {
        if (step.condition !== null && step.condition(event, results) !== true) return { kind: 'skip', reason: 'condition' };
        return { kind: 'run', input: JSON.stringify(Object.fromEntries(step.fields.map(([name, read]) => [name, plain(read(event, results))]))) };
      } catch (error) {
        return { kind: 'broken', code: 'mapping.failed', message: error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error) };
      }
    },
  };
};

function compileStep(step: PlannedStep): { condition: Read | null; fields: [string, Read][] } {
  return {
    condition: step.condition === null ? null : cel(step.condition),
    fields: Object.entries(step.input).map(([name, source]) => [name, field(source)]),
  };
}

function field(source: unknown): Read {
  if (typeof source === 'object' && source !== null && 'cel' in source) return cel(String(source.cel));
  if (typeof source === 'object' && source !== null && 'path' in source) {
    const names = String(source.path).split('.');
    return (event, steps) => names.reduce<unknown>((value, name) => (typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : null), { event, steps });
  }
  const value = typeof source === 'object' && source !== null && 'value' in source ? source.value : source;
  return () => value;
}

function cel(text: string): Read {
  const program = environment.parse(text);
  return (event, steps) => program({ event, steps });
}

function plain(value: unknown): unknown {
  return typeof value === 'bigint' ? Number(value) : value;
}
