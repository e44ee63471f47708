import type { Evidence } from './evidence.js';
import { checkTurns } from './turns.js';
import type { Breach, Finding } from './verdict.js';

/** The log counts whole milliseconds. */
const roundingMs = 1;
const good = new Set(['ok', 'found']);

/** I3: commands are dated by the log, results by the commit of the transaction that recorded them. */
export function checkOrder(seen: Pick<Evidence, 'organisations' | 'runs' | 'attempts' | 'commands' | 'effects' | 'records'>): Finding {
  const { organisations, runs, attempts, commands } = seen;
  const stepsOf = new Map(organisations.map(({ organisationId, steps }) => [organisationId, steps.map(({ id }) => id)]));
  const breaches: Breach[] = [];
  let checked = 0;
  for (const run of runs.values()) {
    const ids = stepsOf.get(run.organisationId) ?? [];
    const ofRun = commands.get(run.runId) ?? [];
    for (const command of ofRun) {
      const at = { invariant: 'I3', runId: run.runId, eventId: run.eventId } as const;
      checked += 1;
      if (command.appendedAtMs + roundingMs < run.plannedAtMs) breaches.push({ ...at, says: `step ${command.stepId} of event ${run.eventId} was sent ${Math.round(run.plannedAtMs - command.appendedAtMs)} ms before its run was committed` });
      const before = ids[ids.indexOf(command.stepId) - 1];
      if (before === undefined) continue;
      const committedAtMs = Math.min(...(attempts.get(run.runId) ?? []).filter(({ stepId, outcome }) => stepId === before && good.has(outcome)).map((attempt) => attempt.committedAtMs));
      if (committedAtMs <= command.appendedAtMs + roundingMs) continue;
      const late = Number.isFinite(committedAtMs) ? `${Math.round(committedAtMs - command.appendedAtMs)} ms before the result of ${before} was committed` : `and ${before} has no result`;
      breaches.push({ ...at, says: `step ${command.stepId} of event ${run.eventId} was sent ${late}` });
    }
  }
  // A run or step whose transaction was never committed, and whose command was sent all the same.
  for (const [runId, sent] of commands) if (!runs.has(runId)) breaches.push({ invariant: 'I3', says: `${sent.length} commands were sent for run ${runId}, which was never committed`, runId, eventId: null });
  const turns = checkTurns(seen);
  return { invariant: 'I3', checked, note: `commands; ${turns.checked} runs behind another of their subject`, breaches: [...breaches, ...turns.breaches] };
}
