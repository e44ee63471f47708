import { inTenant, placeOfCredentials } from '@trunkline/storage';
import type { Vault } from '@trunkline/vault';
import type { CustodyDatabases } from './rewrap.js';

type Sealed = { readonly id: string; readonly credentials: Buffer };

/**
 * Gives the organisation a new data key and seals its credentials anew, row by row. The old key stays and opens what another process saves with it meanwhile.
 * The integration's version does not change: nobody has to read it again.
 */
export async function resealOrganisation(databases: CustodyDatabases, vault: Vault, organisationId: string): Promise<{ readonly resealed: number }> {
  await vault.newDataKey(organisationId);
  const rows = await inTenant(databases, organisationId, async (client) => (await client.query<Sealed>('select id, credentials from integrations where organisation_id = $1 and credentials is not null order by id', [organisationId])).rows);
  let resealed = 0;
  for (const row of rows) resealed += (await resealOne(databases, vault, organisationId, row)) ? 1 : 0;
  return { resealed };
}

async function resealOne(databases: CustodyDatabases, vault: Vault, organisationId: string, { id, credentials }: Sealed): Promise<boolean> {
  const anew = await vault.reseal(credentials, placeOfCredentials(organisationId, id));
  if (anew === null) return false;
  // What somebody saved meanwhile stands.
  const { rowCount } = await inTenant(databases, organisationId, (client) => client.query('update integrations set credentials = $4 where organisation_id = $1 and id = $2 and credentials = $3', [organisationId, id, credentials, anew]));
  return rowCount === 1;
}
