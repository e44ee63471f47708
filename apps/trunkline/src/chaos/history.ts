import type { Breach } from './checker/verdict.js';
import type { Evidence } from './checker/evidence.js';
import type { Intervention } from './interventions.js';

interface Line {
  readonly atMs: number;
  readonly says: string;
}

const aroundMs = 10_000;

/** Everything known of one event in the order of time, with what was done to the platform around then. */
export function historyOf(breach: Breach, evidence: Evidence, interventions: readonly Intervention[]): readonly string[] {
  const run = breach.runId === null ? [...evidence.runs.values()].find(({ eventId }) => eventId === breach.eventId) : evidence.runs.get(breach.runId);
  const runId = breach.runId ?? run?.runId ?? null;
  const eventId = breach.eventId ?? run?.eventId ?? null;
  if (runId === null && eventId === null) return [];
  const lines: Line[] = [
    ...evidence.receipts.filter((receipt) => receipt.runId === runId).map(({ atMs }) => ({ atMs, says: '202 received' })),
    ...(run === undefined ? [] : [{ atMs: run.plannedAtMs, says: 'run committed' }]),
    ...(runId === null ? [] : (evidence.commands.get(runId) ?? []).map(({ appendedAtMs, kind, stepId, dispatch }) => ({ atMs: appendedAtMs, says: `command ${kind} ${stepId} #${dispatch} in the log` }))),
    ...(runId === null ? [] : (evidence.intents.get(runId) ?? []).map(({ committedAtMs, state, stepId, dispatch, worker }) => ({ atMs: committedAtMs, says: `intent ${state} for ${stepId} #${dispatch}, ${worker}` }))),
    ...(runId === null ? [] : (evidence.attempts.get(runId) ?? []).map((attempt) => ({ atMs: attempt.committedAtMs, says: `${attempt.stepId} #${attempt.dispatch}: ${attempt.outcome}${attempt.code === null ? '' : ` (${attempt.code})`} committed${attempt.startedAtMs === null ? '' : `; its call began ${iso(attempt.startedAtMs)}`}, ${attempt.worker}` }))),
    ...evidence.effects.filter((effect) => effect.eventId === eventId).map((effect) => ({ atMs: effect.atMs, says: `${effect.provider} ${effect.kind} ${effect.recordType} ${effect.recordId} under ${effect.reference}` })),
  ];
  const times = lines.map(({ atMs }) => atMs).filter(Number.isFinite);
  const [from, to] = [Math.min(...times) - aroundMs, Math.max(...times) + aroundMs];
  const done = interventions.filter(({ atMs, endedAtMs }) => (endedAtMs ?? atMs) >= from && atMs <= to).map(({ atMs, endedAtMs, what, isLeftOut }) => ({ atMs, says: `>>> ${what}${isLeftOut ? ', left out' : ''}${endedAtMs === null ? '' : `, over after ${endedAtMs - atMs} ms`}` }));
  const told = [...lines, ...done].toSorted((one, other) => one.atMs - other.atMs).map(({ atMs, says }) => `    ${iso(atMs)}  ${says}`);
  const standing = run === undefined ? 'no run' : `run ${run.runId} is ${run.state}: ${run.steps.map(({ id, state, dispatch, reason }) => `${id} ${state} #${dispatch}${reason === null ? '' : ` (${reason})`}`).join(', ')}`;
  return [`  event ${eventId ?? '?'}: ${standing}`, ...told];
}

function iso(atMs: number): string {
  return Number.isFinite(atMs) ? new Date(atMs).toISOString().slice(11) : '(time unknown)';
}
