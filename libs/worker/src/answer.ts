import type { Finding, StepOutcome } from '@trunkline/chain';
import { resultSchemaVersion, type Command, type ProviderCall, type StepResult } from '@trunkline/contracts';

/** What a command came to, and the call that was made for it, if any. */
export interface Answered<T> {
  readonly answer: T;
  readonly call: ProviderCall | null;
  /** Whose credentials were refused: that of the integration as this worker knew it. */
  readonly integrationVersion?: number;
}

export function outcomeResult(command: Command, answered: Answered<StepOutcome>, worker: string): StepResult {
  return resultOf(command, { kind: 'outcome', outcome: answered.answer }, answered, worker);
}

export function findingResult(command: Command, answered: Answered<Finding>, worker: string): StepResult {
  return resultOf(command, { kind: 'finding', finding: answered.answer }, answered, worker);
}

function resultOf({ organisationId, runId, stepId, dispatch, integrationId }: Command, answer: StepResult['answer'], { call, integrationVersion }: Answered<unknown>, worker: string): StepResult {
  return { schema: resultSchemaVersion, organisationId, runId, stepId, dispatch, integrationId, answer, call, ...(integrationVersion === undefined ? {} : { integrationVersion }), worker };
}
