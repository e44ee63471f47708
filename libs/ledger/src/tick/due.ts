import { failpoint } from '@trunkline/failpoints';
import type { Databases } from '@trunkline/storage';
import type { DueItem, DueKind } from '../flush/item.js';

interface DueRow {
  readonly organisation_id: string;
  readonly run_id: string;
  readonly step_id: string;
  readonly kind: DueKind | 'record';
}

export interface Claimed {
  readonly items: readonly DueItem[];
  /** Dead letters whose record goes back to its topic. */
  readonly letters: readonly { readonly organisationId: string; readonly id: string }[];
}

/** `statement_timestamp()` because it is stable: compared with a volatile time, everything that waits, however long, is walked at every look. */
export const claimDueStatement = `update due_work d set due_at = clock_timestamp() + make_interval(secs => $1::float8 / 1000)
      from (select organisation_id, run_id, step_id from due_work where kind <> 'gate' and due_at <= statement_timestamp() order by due_at limit $2 for update skip locked) w
      where d.organisation_id = w.organisation_id and d.run_id = w.run_id and d.step_id = w.step_id
      returning d.organisation_id, d.run_id, d.step_id, d.kind`;

/** Takes what is due by the database's clock, from instances that take at the same time none twice; what is not worked off within the lease comes again. */
export async function claimDue(databases: Pick<Databases, 'system'>, leaseMs: number, limit: number): Promise<Claimed> {
  const { rows } = await databases.system.query<DueRow>({
    name: 'claim-due',
    text: claimDueStatement,
    values: [leaseMs, limit],
  });
  if (rows.length > 0) failpoint('ledger.afterDueClaim');
  return {
    items: rows.flatMap((row) => (row.kind === 'record' ? [] : [itemOf(row, row.kind)])),
    letters: rows.filter((row) => row.kind === 'record').map((row) => ({ organisationId: row.organisation_id, id: row.run_id })),
  };
}

export const claimGivenUpStatement = `update due_work d set give_up_at = clock_timestamp() + interval '1 hour'
      from (select organisation_id, run_id, step_id from due_work where give_up_at <= statement_timestamp() order by give_up_at limit $1 for update skip locked) w
      where d.organisation_id = w.organisation_id and d.run_id = w.run_id and d.step_id = w.step_id
      returning d.organisation_id, d.run_id, d.step_id, d.kind`;

/** Steps that have waited for `max_wait`; asked again after an hour if they cannot be parked just now. */
export async function claimGivenUp(databases: Pick<Databases, 'system'>, limit: number): Promise<readonly DueItem[]> {
  const { rows } = await databases.system.query<DueRow>({
    name: 'claim-given-up',
    text: claimGivenUpStatement,
    values: [limit],
  });
  return rows.map((row) => itemOf(row, 'give-up'));
}

function itemOf(row: DueRow, due: DueKind): DueItem {
  return { kind: 'due', due, organisationId: row.organisation_id, runId: row.run_id, stepId: row.step_id };
}
