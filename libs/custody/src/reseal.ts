import { inTenant, placeOfCredentials, placeOfGrant } from '@trunkline/storage';
import type { Place, Vault } from '@trunkline/vault';
import type { CustodyDatabases } from './rewrap.js';

type Sealed = { readonly id: string; readonly content: Buffer };

/** Every column with secrets of an organisation. Those of a sign-in under way are left out: they live ten minutes. */
const sealedColumns = [
  { table: 'integrations', id: 'id', column: 'credentials', placeOf: placeOfCredentials },
  { table: 'grants', id: 'integration_id', column: 'tokens', placeOf: placeOfGrant },
] as const;

/**
 * Gives the organisation a new data key and seals its credentials and granted tokens anew, row by row. The old key stays and opens what another process saves with it meanwhile.
 * The integration's version does not change: nobody has to read it again.
 */
export async function resealOrganisation(databases: CustodyDatabases, vault: Vault, organisationId: string): Promise<{ readonly resealed: number }> {
  await vault.newDataKey(organisationId);
  let resealed = 0;
  for (const { table, id, column, placeOf } of sealedColumns) {
    const rows = await inTenant(databases, organisationId, async (client) => (await client.query<Sealed>(`select ${id} as id, ${column} as content from ${table} where organisation_id = $1 and ${column} is not null order by 1`, [organisationId])).rows);
    const update = `update ${table} set ${column} = $4 where organisation_id = $1 and ${id} = $2 and ${column} = $3`;
    for (const row of rows) resealed += (await resealOne(databases, vault, row, placeOf(organisationId, row.id), update)) ? 1 : 0;
  }
  return { resealed };
}

async function resealOne(databases: CustodyDatabases, vault: Vault, { id, content }: Sealed, place: Place, update: string): Promise<boolean> {
  const anew = await vault.reseal(content, place);
  if (anew === null) return false;
  // What somebody saved meanwhile stands.
  const { rowCount } = await inTenant(databases, place.organisationId, (client) => client.query(update, [place.organisationId, id, content, anew]));
  return rowCount === 1;
}
