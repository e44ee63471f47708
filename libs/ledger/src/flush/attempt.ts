import { hashOf, uuidFrom, type StepResult } from '@trunkline/contracts';
import type { AttemptRow, Decision } from './decision.js';
import type { ResultItem } from './item.js';

/** The row of one answer. Its id and time come from the record, so a redelivered one is the same row. */
export function attemptOf(item: ResultItem, decision: Decision, isApplied: boolean): AttemptRow {
  const { record, result } = item;
  const said = saidOf(result);
  return {
    attemptId: uuidFrom(hashOf('attempt', record.topic, String(record.partition), String(record.offset))),
    stepId: result.stepId,
    dispatch: result.dispatch,
    integrationId: result.integrationId,
    kind: result.answer.kind === 'finding' ? 'settle' : 'execute',
    ...said,
    isApplied,
    recordedAtMs: record.appendedAtMs,
    startedAtMs: result.call?.startedAtMs ?? null,
    durationMs: result.call?.durationMs ?? null,
    httpStatus: result.call?.httpStatus ?? null,
    providerRequestId: result.call?.providerRequestId ?? null,
    method: result.call?.method ?? null,
    path: result.call?.path ?? null,
    input: decision.loaded.row.run.steps.find((step) => step.id === result.stepId)?.input ?? null,
    worker: result.worker,
  };
}

function saidOf({ answer }: StepResult): Pick<AttemptRow, 'outcome' | 'code' | 'message' | 'result'> {
  if (answer.kind === 'finding') {
    const { finding } = answer;
    switch (finding.kind) {
      case 'found':
        return { outcome: 'found', code: null, message: finding.externalId, result: JSON.stringify(finding.result) };
      case 'none':
        return { outcome: 'none', code: null, message: null, result: null };
      case 'several':
        return { outcome: 'several', code: null, message: `${finding.count} found`, result: null };
      case 'failed':
        return { outcome: `look-up-${finding.class}`, code: finding.code, message: finding.message, result: null };
      default:
        return finding satisfies never;
    }
  }
  const { outcome } = answer;
  switch (outcome.kind) {
    case 'ok':
      return { outcome: 'ok', code: null, message: outcome.externalId, result: JSON.stringify(outcome.result) };
    case 'expired':
      return { outcome: 'expired', code: null, message: null, result: null };
    case 'parked':
      return { outcome: 'parked', code: outcome.reason, message: null, result: null };
    case 'failed':
    case 'transient':
    case 'throttled':
    case 'auth':
    case 'unknown':
      return { outcome: outcome.kind, code: outcome.code, message: outcome.message, result: null };
    default:
      return outcome satisfies never;
  }
}
