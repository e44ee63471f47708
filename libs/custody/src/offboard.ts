import { inOrganisations } from '@trunkline/storage';
import { OrganisationUnknown } from './errors.js';
import type { CustodyDatabases } from './rewrap.js';

/** Everything that holds rows of an organisation, what refers before what is referred to; `chain_versions` and `audit_entries`, which no role may delete from, go with the organisation. The catalogue test knows when a table is missing here. */
export const tablesOfOrganisation = [
  'due_work', 'attempts', 'run_events', 'dead_letters', 'intents', 'handovers', 'subject_holders', 'subject_turns', 'gates', 'budget_windows', 'runs',
  'sign_ins', 'grants', 'integrations', 'invitations', 'memberships', 'api_key_index', 'api_keys', 'organisation_plans', 'data_keys',
] as const;

export interface OffboardingReport {
  readonly organisationId: string;
  /** From this moment on its credentials cannot be opened by anybody. */
  readonly keysDestroyedAt: string;
  readonly deleted: Readonly<Record<string, number>>;
  readonly people: { readonly membershipsEnded: number; readonly accountsDeleted: number };
}

export interface OffboardingProgress {
  readonly table: string;
  readonly deleted: number;
}

const batchRows = 5_000;

/**
 * An organisation leaves: first its secrets can no longer be opened and its API keys no longer work, then everything of it is deleted in small transactions.
 * Events still in the topics may write rows once more; passes are repeated until one finds nothing. May be ended and started again at any moment.
 */
export async function offboard(databases: CustodyDatabases, organisationId: string, onProgress: (progress: OffboardingProgress) => void = () => undefined): Promise<OffboardingReport> {
  const keysDestroyedAt = await shut(databases, organisationId);
  const people = await endMemberships(databases, organisationId);
  const deleted: Record<string, number> = {};
  for (;;) {
    let found = 0;
    for (const table of tablesOfOrganisation) {
      const rows = await empty(databases, organisationId, table, onProgress);
      deleted[table] = (deleted[table] ?? 0) + rows;
      found += rows;
    }
    if (found === 0) break;
  }
  await inOrganisations(databases, [organisationId], (client) => client.query('delete from organisations where id = $1', [organisationId]));
  return { organisationId, keysDestroyedAt, deleted, people };
}

/** One transaction: no key, no credentials, no API key. Workers see the new version of an integration within seconds and hold its work. */
async function shut(databases: CustodyDatabases, organisationId: string): Promise<string> {
  return inOrganisations(databases, [organisationId], async (client) => {
    const { rows } = await client.query<{ at: Date }>('select now() as at from organisations where id = $1 for update', [organisationId]);
    const [row] = rows;
    if (row === undefined) throw OrganisationUnknown.because(organisationId);
    await client.query('update data_keys set wrapped = null, destroyed_at = now() where organisation_id = $1 and wrapped is not null', [organisationId]);
    await client.query('update integrations set credentials = null, paused = true, version = version + 1, updated_at = now() where organisation_id = $1 and (credentials is not null or not paused)', [organisationId]);
    await client.query(`update grants set state = 'disconnected', reason = 'disconnected', tokens = null, version = version + 1 where organisation_id = $1 and tokens is not null`, [organisationId]);
    await client.query('delete from sign_ins where organisation_id = $1', [organisationId]);
    await client.query('delete from api_key_index where organisation_id = $1', [organisationId]);
    return row.at.toISOString();
  });
}

/** A person who belongs to no other organisation has no account any more. */
async function endMemberships({ access }: CustodyDatabases, organisationId: string): Promise<OffboardingReport['people']> {
  await access.query('update sessions set organisation = null where organisation = $1', [organisationId]);
  const ended = await access.query('update users set organisations = array_remove(organisations, $1::uuid) where $1::uuid = any(organisations) returning id', [organisationId]);
  const ids = ended.rows.map((row: { readonly id: string }) => row.id);
  const gone = await access.query(`delete from users where id = any($1) and organisations = '{}'`, [ids]);
  return { membershipsEnded: ids.length, accountsDeleted: gone.rowCount ?? 0 };
}

async function empty(databases: CustodyDatabases, organisationId: string, table: (typeof tablesOfOrganisation)[number], onProgress: (progress: OffboardingProgress) => void): Promise<number> {
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
