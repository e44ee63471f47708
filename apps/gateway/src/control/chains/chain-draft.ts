import type { ActionFacts, PlannedStep } from '@trunkline/chain';
import type { ChainBody, StepBody } from './chains.dto.js';

export interface ChainProblem {
  readonly code: string;
  readonly step: string;
  readonly field: string;
  readonly message: string;
}

export interface ChainSurroundings {
  readonly integrations: ReadonlyMap<string, { readonly provider: string; readonly settings: Readonly<Record<string, unknown>> }>;
  readonly previous: readonly PlannedStep[];
  actionOf(provider: string, action: string, settings: Readonly<Record<string, unknown>>): ActionFacts | undefined;
  /** Expressions: what they read, and what is wrong with them. */
  checkExpressions(steps: readonly PlannedStep[]): { readonly problems: readonly ChainProblem[]; readonly readsOf: (step: PlannedStep) => readonly string[] };
}

/** A chain as it would be saved, and everything that speaks against saving it. */
export function draftChain(body: ChainBody, surroundings: ChainSurroundings): { readonly steps: readonly PlannedStep[]; readonly problems: readonly ChainProblem[] } {
  const ids = stepIds(body.steps, surroundings.previous);
  const steps = body.steps.map((step, index) => planned(step, ids[index] ?? '', surroundings));
  const problems = steps.flatMap((step) => placeProblems(step, surroundings));
  const { problems: expressionProblems, readsOf } = surroundings.checkExpressions(steps);
  return { steps: steps.map((step) => ({ ...step, reads: readsOf(step) })), problems: [...problems, ...expressionProblems] };
}

function planned(step: StepBody, id: string, { integrations }: ChainSurroundings): PlannedStep {
  return {
    id,
    name: step.name,
    integrationId: step.integration.toLowerCase(),
    provider: integrations.get(step.integration.toLowerCase())?.provider ?? '',
    action: step.action,
    priority: step.priority,
    condition: step.condition ?? null,
    input: step.input,
    onFailure: step.on_failure,
    timeoutMs: step.timeout_ms,
    retry: { attempts: step.retry.attempts, backoffMs: step.retry.backoff_ms, maxBackoffMs: Math.max(step.retry.max_backoff_ms, step.retry.backoff_ms) },
    ordering: step.ordering,
    reads: [],
  };
}

/** An id is given once and survives renaming: the one sent, else the one the step of this name had, else a new one made of the name. */
function stepIds(steps: readonly StepBody[], previous: readonly PlannedStep[]): readonly string[] {
  const taken = new Set([...steps.flatMap((step) => (step.id === undefined ? [] : [step.id]))]);
  const former = new Set(previous.map((step) => step.id));
  return steps.map((step) => {
    if (step.id !== undefined) return step.id;
    const before = previous.find((candidate) => candidate.name === step.name)?.id;
    const id = before !== undefined && !taken.has(before) ? before : freshId(step.name, (candidate) => taken.has(candidate) || former.has(candidate));
    taken.add(id);
    return id;
  });
}

function freshId(name: string, isTaken: (id: string) => boolean): string {
  const base = name.toLowerCase().replace(/^_+/, '').slice(0, 56) || 'step';
  for (let number = 1; ; number += 1) {
    const id = number === 1 ? base : `${base}-${number}`;
    if (!isTaken(id)) return id;
  }
}

function placeProblems(step: PlannedStep, { integrations, actionOf }: ChainSurroundings): readonly ChainProblem[] {
  const integration = integrations.get(step.integrationId);
  if (integration === undefined) return [{ code: 'chain.unknown_integration', step: step.name, field: 'integration', message: `Step ${step.name}, integration: there is no integration ${step.integrationId}.` }];
  if (actionOf(integration.provider, step.action, integration.settings) === undefined) return [{ code: 'chain.unknown_action', step: step.name, field: 'action', message: `Step ${step.name}, action: ${integration.provider} has no action ${step.action}.` }];
  return [];
}
