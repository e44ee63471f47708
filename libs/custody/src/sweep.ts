import { inOrganisations } from '@trunkline/storage';
import type { CustodyDatabases } from './rewrap.js';

/** Everything that holds rows of an organisation, what refers before what is referred to; `chain_versions` and `audit_entries`, which no role may delete from, go with the organisation. The catalogue test knows when a table is missing here. */
export const tablesOfOrganisation = [
  'due_work', 'attempts', 'run_events', 'dead_letters', 'intents', 'handovers', 'subject_holders', 'subject_turns', 'gates', 'budget_windows', 'runs',
  'sign_ins', 'grants', 'integrations', 'invitations', 'memberships', 'api_key_index', 'api_keys', 'organisation_plans', 'data_keys',
] as const;

export interface OffboardingProgress {
  readonly table: string;
  readonly deleted: number;
}

type SystemDatabase = Pick<CustodyDatabases, 'system'>;

const batchRows = 5_000;
/** PostgreSQL's `lock_not_available`. */
const lockNotAvailable = '55P03';

/** In passes until one finds nothing: what is at work for the organisation meanwhile may write rows once more. */
export async function sweep(databases: SystemDatabase, organisationId: string): Promise<void> {
  const deleted = new Map<string, number>();
  while ((await sweepOnce(databases, organisationId, deleted, () => undefined)) > 0);
}

/** Deletes in small transactions and adds to what was deleted of each table. Answers with how many rows it found. */
export async function sweepOnce(databases: SystemDatabase, organisationId: string, deleted: Map<string, number>, onProgress: (progress: OffboardingProgress) => void): Promise<number> {
  let found = 0;
  for (const table of tablesOfOrganisation) {
    const rows = await empty(databases, organisationId, table, onProgress);
    deleted.set(table, (deleted.get(table) ?? 0) + rows);
    found += rows;
  }
  return found;
}

/**
 * Deletes the organisation itself if nothing of it is left to delete, and answers whether. What refers to its row cannot be written while it is looked for: who is at it is waited for,
 * and who comes later finds no organisation. Rows are looked at and not deleted here: who holds one of them may be waiting for the organisation's row.
 */
export async function goesIfEmpty(databases: SystemDatabase, organisationId: string): Promise<boolean> {
  try {
    return await inOrganisations(databases, [organisationId], async (client) => {
      await client.query('select from organisations where id = $1 for update', [organisationId]);
      const { rows } = await client.query<{ isEmpty: boolean }>(`select not (${tablesOfOrganisation.map((table) => `exists (select from ${table} where organisation_id = $1)`).join(' or ')}) as "isEmpty"`, [organisationId]);
      if (rows[0]?.isEmpty !== true) return false;
      await client.query('delete from organisations where id = $1', [organisationId]);
      return true;
    });
  } catch (error) {
    // Somebody has been at it for longer than a lock is waited for; they may have written.
    if (typeof error === 'object' && error !== null && 'code' in error && error.code === lockNotAvailable) return false;
    throw error;
  }
}

async function empty(databases: SystemDatabase, organisationId: string, table: (typeof tablesOfOrganisation)[number], onProgress: (progress: OffboardingProgress) => void): Promise<number> {
  let deleted = 0;
  for (;;) {
    // A row of a partitioned table is named by its partition and its place in it.
    const { rowCount } = await inOrganisations(databases, [organisationId], (client) =>
      client.query(`delete from ${table} where (tableoid, ctid) in (select tableoid, ctid from ${table} where organisation_id = $1 limit ${batchRows})`, [organisationId]),
    );
    deleted += rowCount ?? 0;
    if (rowCount !== 0) onProgress({ table, deleted });
    if ((rowCount ?? 0) < batchRows) return deleted;
  }
}
