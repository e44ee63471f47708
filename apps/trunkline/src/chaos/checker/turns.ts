import type { Evidence, OrganisationEvidence, RunEvidence } from './evidence.js';
import type { Breach } from './verdict.js';

type Seen = Pick<Evidence, 'organisations' | 'runs' | 'attempts' | 'commands' | 'effects' | 'records'>;
type Step = OrganisationEvidence['steps'][number];

/** The log counts whole milliseconds. */
const roundingMs = 1;
const good = new Set(['ok', 'found']);

export interface Turns {
  /** Runs that had another before them on their subject. */
  readonly checked: number;
  readonly breaches: readonly Breach[];
}

/**
 * Where a step is ordered by subject, a run's turn at that provider comes when every run planned before it on the same subject is over there: what is deferred, unknown or parked holds the subject.
 * Runs get their numbers under the subject's lock, so that their commits are in that order; those of one transaction stand in the order of the log.
 */
export function checkTurns(seen: Seen): Turns {
  const offsets = firstOffsets(seen.records);
  const placeOf = (run: RunEvidence): number => offsets.get(run.runId) ?? 0;
  const createdAtMs = new Map(seen.effects.filter(({ kind }) => kind === 'created').map((effect) => [`${effect.provider} ${effect.recordType} ${effect.eventId}`, effect.atMs]));
  const breaches: Breach[] = [];
  let checked = 0;
  for (const { organisationId, steps } of seen.organisations) {
    const ordered = steps.filter(({ ordering }) => ordering === 'subject');
    const own = [...seen.runs.values()].filter((run) => ordered.length > 0 && run.organisationId === organisationId && run.subject !== null);
    for (const line of Map.groupBy(own, ({ subject }) => subject).values()) {
      line.sort((one, other) => one.plannedAtMs - other.plannedAtMs || placeOf(one) - placeOf(other));
      checked += line.length - 1;
      for (const sameProvider of Map.groupBy(ordered, ({ provider }) => provider).values()) breaches.push(...outOfTurn(line, sameProvider, seen), ...outOfOrder(line, sameProvider, createdAtMs));
    }
  }
  return { checked, breaches };
}

/** Commands that were sent while an earlier run held the subject. */
function outOfTurn(line: readonly RunEvidence[], steps: readonly Step[], { attempts, commands }: Seen): readonly Breach[] {
  const breaches: Breach[] = [];
  let [heldUntilMs, holder] = [Number.NEGATIVE_INFINITY, ''];
  for (const run of line) {
    const early = (commands.get(run.runId) ?? []).find(({ stepId, appendedAtMs }) => steps.some(({ id }) => id === stepId) && appendedAtMs + roundingMs < heldUntilMs);
    if (early !== undefined) {
      const late = Number.isFinite(heldUntilMs) ? `${Math.round(heldUntilMs - early.appendedAtMs)} ms before event ${holder}, which comes before it on their subject, was over` : `and event ${holder}, which comes before it on their subject, is not over`;
      breaches.push({ invariant: 'I3', says: `step ${early.stepId} of event ${run.eventId} was sent ${late}`, runId: run.runId, eventId: run.eventId });
    }
    const releasedAtMs = Math.max(...steps.map((step) => overAtMs(run, step, attempts)));
    if (releasedAtMs > heldUntilMs) [heldUntilMs, holder] = [releasedAtMs, run.eventId];
  }
  return breaches;
}

/** When the transaction that ended the step was committed; a step that has not ended holds its subject for ever, and when one was skipped or cancelled nothing tells. */
function overAtMs(run: RunEvidence, { id }: Step, attempts: Seen['attempts']): number {
  const state = run.steps.find((step) => step.id === id)?.state;
  if (state === 'skipped' || state === 'cancelled') return Number.NEGATIVE_INFINITY;
  if (state !== 'done' && state !== 'dead-lettered') return Number.POSITIVE_INFINITY;
  const ending = (attempts.get(run.runId) ?? []).filter(({ stepId, outcome }) => stepId === id && good.has(outcome) === (state === 'done'));
  const times = ending.map(({ committedAtMs }) => committedAtMs);
  return state === 'done' ? Math.min(...times) : Math.max(...times);
}

function outOfOrder(line: readonly RunEvidence[], steps: readonly Step[], createdAtMs: ReadonlyMap<string, number>): readonly Breach[] {
  const breaches: Breach[] = [];
  let [latestMs, latest] = [Number.NEGATIVE_INFINITY, ''];
  for (const run of line) {
    const times = steps.flatMap(({ provider, recordType }) => createdAtMs.get(`${provider} ${recordType} ${run.eventId}`) ?? []);
    if (Math.min(...times) < latestMs) breaches.push({ invariant: 'I3', says: `${steps[0]?.provider ?? ''} got event ${run.eventId} ${Math.round(latestMs - Math.min(...times))} ms before event ${latest}, which comes before it on their subject`, runId: run.runId, eventId: run.eventId });
    const last = Math.max(...times);
    if (last > latestMs) [latestMs, latest] = [last, run.eventId];
  }
  return breaches;
}

/** Copies that a publisher sent again come later and change nothing; events of one subject lie in one partition. */
function firstOffsets(records: Seen['records']): ReadonlyMap<string, number> {
  const offsets = new Map<string, number>();
  for (const { topic, runId, offset } of records) if (topic.startsWith('events.')) offsets.set(runId, Math.min(offset, offsets.get(runId) ?? Number.POSITIVE_INFINITY));
  return offsets;
}
