import type { AttemptEvidence, IntentEvidence, LetterEvidence, RunEvidence } from '../checker/evidence.js';
import type { LedgerClient } from '../ledger-client.js';

export interface LedgerEvidence {
  readonly runs: ReadonlyMap<string, RunEvidence>;
  readonly attempts: ReadonlyMap<string, readonly AttemptEvidence[]>;
  /** When each attempt was committed, by its id: a function of the result's place in the log. */
  readonly attemptCommits: ReadonlyMap<string, number>;
  readonly letters: readonly LetterEvidence[];
  /** Kept as long as their runs are. */
  readonly intents: ReadonlyMap<string, readonly IntentEvidence[]>;
  /** Since when an intent or a hand-over stands for a dispatch, by `run step dispatch`. */
  readonly standing: ReadonlyMap<string, number>;
}

interface StoredStep {
  readonly id: string;
  readonly state: string;
  readonly dispatch?: number;
  readonly reason?: string;
}

const committedMs = (row: string): string => `(extract(epoch from pg_xact_commit_timestamp(${row}.xmin)) * 1000)::float8`;

/** Rows that are written once carry the time of their commit: the server must run with `track_commit_timestamp`. */
export async function readLedger(ledger: LedgerClient): Promise<LedgerEvidence> {
  const runs = new Map<string, RunEvidence>();
  await ledger.each<{ organisation_id: string; run_id: string; event_id: string; subject: string | null; state: string; steps: string; planned: number | null }>(
    `select r.organisation_id, r.run_id, e.event_id, r.subject_hash as subject, r.state, r.steps, ${committedMs('e')} as planned from runs r left join run_events e on e.organisation_id = r.organisation_id and e.run_id = r.run_id`,
    (row) => void runs.set(row.run_id, { organisationId: row.organisation_id, runId: row.run_id, eventId: row.event_id, subject: row.subject, state: row.state, steps: (JSON.parse(row.steps) as StoredStep[]).map(({ id, state, dispatch = 0, reason = null }) => ({ id, state, dispatch, reason })), plannedAtMs: row.planned ?? Number.NEGATIVE_INFINITY }),
  );
  const attempts = new Map<string, AttemptEvidence[]>();
  const attemptCommits = new Map<string, number>();
  await ledger.each<{ run_id: string; attempt_id: string; step_id: string; dispatch: number; outcome: string; code: string | null; worker: string | null; started: number | null; committed: number | null }>(
    `select run_id, attempt_id, step_id, dispatch, outcome, code, worker, (extract(epoch from started_at) * 1000)::float8 as started, ${committedMs('a')} as committed from attempts a`,
    (row) => {
      const committedAtMs = row.committed ?? Number.NEGATIVE_INFINITY;
      attemptCommits.set(row.attempt_id, committedAtMs);
      pushTo(attempts, row.run_id, { stepId: row.step_id, dispatch: row.dispatch, outcome: row.outcome, code: row.code, startedAtMs: row.started, committedAtMs, worker: row.worker });
    },
  );
  const letters: LetterEvidence[] = [];
  await ledger.each<{ organisation_id: string; run_id: string | null; step_id: string | null; code: string; closed: boolean }>(
    'select organisation_id, run_id, step_id, code, closed_at is not null as closed from dead_letters',
    (row) => void letters.push({ organisationId: row.organisation_id, runId: row.run_id, stepId: row.step_id, code: row.code, isOpen: !row.closed }),
  );
  return { runs, attempts, attemptCommits, letters, ...(await readStanding(ledger)) };
}

/** What stands for dispatches: intents, which also tell what they stand for, and hand-overs. */
async function readStanding(ledger: LedgerClient): Promise<Pick<LedgerEvidence, 'intents' | 'standing'>> {
  const intents = new Map<string, IntentEvidence[]>();
  const standing = new Map<string, number>();
  const stand = (row: { run_id: string; step_id: string; dispatch: number; since: number | null }): number => {
    const name = dispatchName(row.run_id, row.step_id, row.dispatch);
    const sinceMs = row.since ?? Number.NEGATIVE_INFINITY;
    standing.set(name, Math.min(sinceMs, standing.get(name) ?? Number.POSITIVE_INFINITY));
    return sinceMs;
  };
  await ledger.each<{ run_id: string; step_id: string; dispatch: number; state: IntentEvidence['state']; worker: string | null; since: number | null }>(
    `select run_id, step_id, dispatch, state, worker, ${committedMs('i')} as since from intents i`,
    (row) => pushTo(intents, row.run_id, { stepId: row.step_id, dispatch: row.dispatch, state: row.state, worker: row.worker, committedAtMs: stand(row) }),
  );
  await ledger.each<{ run_id: string; step_id: string; dispatch: number; since: number | null }>(`select run_id, step_id, dispatch, ${committedMs('h')} as since from handovers h`, (row) => void stand(row));
  return { intents, standing };
}

export function dispatchName(runId: string, stepId: string, dispatch: number): string {
  return `${runId} ${stepId} ${dispatch}`;
}

export function pushTo<Item>(lists: Map<string, Item[]>, name: string, item: Item): void {
  const list = lists.get(name);
  if (list === undefined) lists.set(name, [item]);
  else list.push(item);
}
