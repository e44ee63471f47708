import { effectKeyOf, type Command } from '@trunkline/contracts';
import type { PlannedStep, StepProgress } from '@trunkline/chain';
import type { RunRow } from '../run-row.js';

interface Sending {
  readonly kind: Command['kind'];
  readonly dispatch: number;
  readonly startBeforeMs: number;
  readonly traceparent: string | null;
}

/** The command of a step as its row stands; built the same from a fresh decision and from a stored one. */
export function commandOf(row: RunRow, planned: PlannedStep, step: StepProgress, sending: Sending): Command {
  return {
    ...sending,
    organisationId: row.organisationId,
    runId: row.runId,
    stepId: step.id,
    effectKey: effectKeyOf(row.organisationId, row.rootRunId, row.rootAcceptedAtMs, step.id, planned.action),
    integrationId: planned.integrationId,
    provider: planned.provider,
    action: planned.action,
    orderingKey: planned.ordering === 'subject' ? row.subjectHash : null,
    deadlineMs: planned.timeoutMs,
    firstDispatchedAtMs: step.firstDispatchedAtMs ?? sending.startBeforeMs,
    input: Buffer.from(step.input ?? 'null'),
  };
}

export function dispatchName(command: { readonly runId: string; readonly stepId: string; readonly dispatch: number }): string {
  return `${command.runId}/${command.stepId}/${command.dispatch}`;
}
