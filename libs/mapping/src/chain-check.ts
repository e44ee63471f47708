import { compileCondition } from './condition.js';
import { compileMapping, type MappingTable } from './mapping.js';
import type { Path } from './path.js';
import { MappingError, type MappingCode } from './problem.js';

/** The parts of a planned step that are checked; `PlannedStep` of the chain fits. */
export interface CheckedStep {
  readonly id: string;
  readonly name: string;
  readonly priority: number;
  readonly condition: string | null;
  readonly input: MappingTable;
}

export interface ChainProblem {
  readonly code: MappingCode;
  /** Whole sentence, naming the steps and the field. */
  readonly message: string;
  readonly stepId: string;
  readonly step: string;
  /** `condition`, `input.<target>`, `name` or `id`. */
  readonly field: string;
  /** Character of the field's source, from 0. */
  readonly at: number | null;
}

/** Everything that is wrong with a chain's steps, before it is saved; empty when nothing is. */
export function checkChain(steps: readonly CheckedStep[]): readonly ChainProblem[] {
  const problems: ChainProblem[] = [];
  const byName = new Map<string, CheckedStep>();
  const ids = new Set<string>();
  for (const step of steps) {
    const tell = (code: MappingCode, field: string, message: string): void => void problems.push({ code, message, stepId: step.id, step: step.name, field, at: null });
    if (!/^[a-z][a-z0-9_]{0,62}$/i.test(step.name)) tell('chain.name', 'name', `The step name ${JSON.stringify(step.name)} must be a letter followed by letters, digits and underscores, 63 at most.`);
    if (ids.has(step.id)) tell('chain.duplicate_id', 'id', `Two steps have the id ${step.id}.`);
    if (byName.has(step.name)) tell('chain.duplicate_name', 'name', `Two steps are named ${step.name}; results are read by name.`);
    ids.add(step.id);
    if (!byName.has(step.name)) byName.set(step.name, step);
  }
  for (const step of steps) for (const { field, compile } of fieldsOf(step)) checkField(step, field, compile, byName, problems);
  return problems;
}

/** Names of the steps that these reads touch. */
export function readsSteps(reads: readonly Path[]): readonly string[] {
  return [...new Set(reads.filter(([root]) => root === 'steps').map(([, name]) => name ?? ''))];
}

/** Ids of the steps that condition or input of this one read, for `PlannedStep.reads`. Throws the MappingError of what does not compile. */
export function stepsReadBy(step: CheckedStep, steps: readonly CheckedStep[]): readonly string[] {
  const names = new Set(fieldsOf(step).flatMap(({ compile }) => readsSteps(compile())));
  return steps.filter((other) => names.has(other.name)).map((other) => other.id);
}

interface Field {
  readonly field: string;
  compile(): readonly Path[];
}

function fieldsOf(step: CheckedStep): readonly Field[] {
  const { condition } = step;
  const targets = Object.entries(step.input).map(([target, rule]): Field => ({ field: `input.${target}`, compile: () => compileMapping({ [target]: rule }).reads }));
  const together: Field = { field: 'input', compile: () => compileMapping(step.input).reads };
  const fields = [...targets, ...(targets.length > 1 ? [together] : [])];
  return condition === null ? fields : [{ field: 'condition', compile: () => compileCondition(condition).reads }, ...fields];
}

function checkField(step: CheckedStep, field: string, compile: () => readonly Path[], byName: ReadonlyMap<string, CheckedStep>, problems: ChainProblem[]): void {
  const about = { stepId: step.id, step: step.name, field };
  let names: readonly string[];
  try {
    names = readsSteps(compile());
  } catch (error) {
    if (!(error instanceof MappingError)) throw error;
    // What is wrong with one target has been told under its own name.
    if (field === 'input' && problems.some((problem) => problem.stepId === step.id && problem.field.startsWith('input.'))) return;
    const place = error.at === null ? '' : ` at character ${error.at}`;
    problems.push({ ...about, code: error.code, at: error.at, message: `Step ${step.name}, ${field}${place}: ${error.message}.` });
    return;
  }
  if (field === 'input') return;
  for (const name of names) {
    const read = byName.get(name);
    if (read === undefined) {
      problems.push({ ...about, code: 'chain.unknown_step', at: null, message: `Step ${step.name}, ${field}: it reads steps.${name}, but the chain has no step of that name.` });
    } else if (read.priority >= step.priority) {
      const how = read === step ? 'which is the step itself' : read.priority === step.priority ? `which runs together with it (priority ${step.priority})` : `which runs later (priority ${read.priority}, after ${step.priority})`;
      problems.push({ ...about, code: 'chain.later_step', at: null, message: `Step ${step.name}, ${field}: it reads step ${name}, ${how}; only steps of a lower priority number can be read.` });
    }
  }
}
