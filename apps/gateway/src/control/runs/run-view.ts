import type { AttemptView, RunDetail, RunSummary, StepView } from '@trunkline/ledger';
import { instant } from '../times.js';

/** System 1's JSON is snake_case; the event's own data and provider results stay as they are. */
export function runView(run: RunSummary): Record<string, unknown> {
  return {
    run_id: run.runId,
    root_run_id: run.rootRunId,
    event_type: run.eventType,
    source: run.source,
    id: run.eventId,
    subject: run.subject,
    state: run.state,
    chain_version: run.chainVersion,
    accepted_at: instant(run.acceptedAtMs),
    finished_at: instant(run.finishedAtMs),
    duration_ms: run.finishedAtMs === null ? null : Math.round(run.finishedAtMs - run.acceptedAtMs),
    steps: run.steps.map(stepView),
  };
}

/** One run with its timeline: event, steps, attempts, provider request ids, waits with reason and time. */
export function runDetailView(run: RunDetail): Record<string, unknown> {
  return {
    ...runView(run),
    event: {
      specversion: '1.0',
      id: run.eventId,
      source: run.source,
      type: run.eventType,
      subject: run.subject,
      time: run.event.time,
      assistant: run.event.assistantId,
      data: run.event.expiredAtMs === null ? jsonOrText(run.event.data) : null,
      expired_at: instant(run.event.expiredAtMs),
    },
    steps: run.steps.map((step) => ({ ...stepView(step), attempts: run.attemptList.filter((attempt) => attempt.stepId === step.id).map(attemptView) })),
  };
}

function stepView(step: StepView): Record<string, unknown> {
  return {
    id: step.id,
    name: step.name,
    integration_id: step.integrationId,
    provider: step.provider,
    action: step.action,
    priority: step.priority,
    state: step.state,
    reason: step.reason,
    due_at: instant(step.dueAtMs),
    dispatch: step.dispatch,
    attempt_count: step.attempts,
    external_id: step.externalId,
    cancel_requested: step.cancelRequested,
  };
}

function attemptView(attempt: AttemptView): Record<string, unknown> {
  return {
    dispatch: attempt.dispatch,
    kind: attempt.kind,
    outcome: attempt.outcome,
    started_at: instant(attempt.startedAtMs),
    duration_ms: attempt.durationMs,
    http_status: attempt.httpStatus,
    provider_request_id: attempt.providerRequestId,
    code: attempt.code,
    message: attempt.message,
    recorded_at: instant(attempt.recordedAtMs),
  };
}

/** Data is kept as bytes; what is not JSON any more (a direct producer's) is shown as text. */
function jsonOrText(bytes: Buffer): unknown {
  const text = bytes.toString('utf8');
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
