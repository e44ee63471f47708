import type { Evidence, RunEvidence } from './evidence.js';
import type { Breach, Finding } from './verdict.js';

const moving = new Set(['waiting', 'ready', 'sent', 'deferred', 'unknown']);
const known = new Set([...moving, 'parked', 'done', 'skipped', 'dead-lettered', 'cancelled']);

/** I5: after the drain. A parked step waits for a person and is an end of its own; what stands behind it waits with it. */
export function checkStates({ organisations, runs, letters }: Pick<Evidence, 'organisations' | 'runs' | 'letters'>): Finding {
  const counts = new Map<string, number>();
  const openLetters = new Set(letters.filter(({ isOpen, stepId }) => isOpen && stepId !== null).map(({ runId, stepId }) => `${runId} ${stepId}`));
  const stepsOf = new Map(organisations.map(({ organisationId, steps }) => [organisationId, steps.length]));
  const breaches: Breach[] = [];
  for (const run of runs.values()) {
    counts.set(run.state, (counts.get(run.state) ?? 0) + 1);
    const problem = problemOf(run, stepsOf.get(run.organisationId) ?? 0, openLetters);
    if (problem !== null) breaches.push({ invariant: 'I5', says: `event ${run.eventId}: ${problem}`, runId: run.runId, eventId: run.eventId });
  }
  for (const { runId, code } of letters.filter(({ stepId }) => stepId === null)) breaches.push({ invariant: 'I5', says: `a record was dead-lettered as ${code}`, runId, eventId: null });
  return { invariant: 'I5', checked: runs.size, note: [...counts].map(([state, count]) => `${count} ${state}`).join(', '), breaches };
}

function problemOf({ runId, state, steps }: RunEvidence, planned: number, openLetters: ReadonlySet<string>): string | null {
  if (steps.length !== planned) return `its run has ${steps.length} steps, the chain ${planned}`;
  const strange = steps.find((step) => !known.has(step.state));
  if (strange !== undefined) return `step ${strange.id} is in no known state: ${strange.state}`;
  const parkedAt = steps.findIndex((step) => step.state === 'parked');
  const stuck = steps.find((step, index) => moving.has(step.state) && !(parkedAt >= 0 && index > parkedAt && step.state === 'waiting'));
  if (stuck !== undefined) return `step ${stuck.id} is stuck as ${stuck.state}${stuck.reason === null ? '' : ` (${stuck.reason})`}, dispatch ${stuck.dispatch}; its run is ${state}`;
  const expected = endsOf(steps.map((step) => step.state));
  if (!expected.includes(state)) return `its steps say ${expected.join(' or ')} and the run says ${state}`;
  const unexplained = steps.find((step) => (step.state === 'dead-lettered') !== openLetters.has(`${runId} ${step.id}`));
  return unexplained === undefined ? null : `step ${unexplained.id} is ${unexplained.state} and ${unexplained.state === 'dead-lettered' ? 'no dead letter is open' : 'a dead letter is open'} for it`;
}

/** How a run may stand whose steps stand like this and do not move any more. Which of two it is depends on what the chain says about a failure. */
function endsOf(steps: readonly string[]): readonly string[] {
  if (steps.includes('parked')) return ['parked'];
  if (steps.includes('cancelled')) return ['cancelled'];
  return steps.includes('dead-lettered') ? ['dead-lettered', 'done-with-failures'] : ['done'];
}
