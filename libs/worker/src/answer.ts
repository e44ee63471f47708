import type { Finding, StepOutcome } from '@trunkline/chain';
import { resultSchemaVersion, type Command, type ProviderCall, type StepResult } from '@trunkline/contracts';

/** What a command came to, and the call that was made for it, if any. */
export interface Answered<T> {
  readonly answer: T;
  readonly call: ProviderCall | null;
}

export function outcomeResult(command: Command, { answer, call }: Answered<StepOutcome>, worker: string): StepResult {
  return resultOf(command, { kind: 'outcome', outcome: answer }, call, worker);
}

export function findingResult(command: Command, { answer, call }: Answered<Finding>, worker: string): StepResult {
  return resultOf(command, { kind: 'finding', finding: answer }, call, worker);
}

function resultOf({ organisationId, runId, stepId, dispatch, integrationId }: Command, answer: StepResult['answer'], call: ProviderCall | null, worker: string): StepResult {
  return { schema: resultSchemaVersion, organisationId, runId, stepId, dispatch, integrationId, answer, call, worker };
}
