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

/** Deletes in small transactions, in passes until one finds nothing: what is at work for the organisation meanwhile may write rows once more. */
export async function sweep(databases: SystemDatabase, organisationId: string, onProgress: (progress: OffboardingProgress) => void = () => undefined): Promise<Readonly<Record<string, number>>> {
  const deleted: Record<string, number> = {};
  for (;;) {
    let found = 0;
    for (const table of tablesOfOrganisation) {
      const rows = await empty(databases, organisationId, table, onProgress);
      deleted[table] = (deleted[table] ?? 0) + rows;
      found += rows;
    }
    if (found === 0) return deleted;
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
