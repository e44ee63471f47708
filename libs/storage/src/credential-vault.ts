import { createVault, localKeyWrapper, type DataKeys, type MasterKeys, type Place, type StoredDataKey, type Vault } from '@trunkline/vault';
import type { Databases } from './databases.js';
import { inTenant } from './transaction.js';

type Row = { readonly id: string; readonly wrapped: Buffer | null };

/** The table `data_keys`, as the organisation itself sees it. */
export function storedDataKeys(databases: Pick<Databases, 'tenant'>): DataKeys {
  const one = (organisationId: string, text: string, values: readonly unknown[]): Promise<StoredDataKey | null> =>
    inTenant(databases, organisationId, async (client) => (await client.query<Row>(text, [...values])).rows[0] ?? null);
  return {
    current: (organisationId) => one(organisationId, 'select id, wrapped from data_keys where organisation_id = $1 and is_current', [organisationId]),
    find: (organisationId, id) => one(organisationId, 'select id, wrapped from data_keys where organisation_id = $1 and id::text = $2', [organisationId, id]),
    add: (organisationId, { id, wrapped }, replaces) =>
      inTenant(databases, organisationId, async (client) => {
        await client.query('update data_keys set is_current = false where organisation_id = $1 and id = $2 and is_current and wrapped is not null', [organisationId, replaces]);
        // Of two processes that make a key at once, the second finds the index taken and uses what the first made.
        await client.query('insert into data_keys (organisation_id, id, wrapped) values ($1, $2, $3) on conflict do nothing', [organisationId, id, wrapped]);
        const { rows } = await client.query<Row>('select id, wrapped from data_keys where organisation_id = $1 and is_current', [organisationId]);
        return rows[0] ?? { id, wrapped };
      }),
  };
}

/** The vault over this database: data keys in `data_keys`, wrapped by the master keys that this process was given. */
export function openVault(databases: Pick<Databases, 'tenant'>, masterKeys: MasterKeys): Vault {
  return createVault({ wrapper: localKeyWrapper(masterKeys), dataKeys: storedDataKeys(databases) });
}

/** Where the tokens are sealed that a person granted for an integration. */
export function placeOfGrant(organisationId: string, integrationId: string): Place {
  return { table: 'grants', organisationId, row: integrationId, field: 'tokens' };
}

/** Where the secrets of a sign-in under way are sealed; the row is named by the hash of its state. */
export function placeOfSignIn(organisationId: string, stateSha256: Buffer): Place {
  return { table: 'sign_ins', organisationId, row: stateSha256.toString('hex'), field: 'secrets' };
}

/** Where an integration's credentials are sealed. */
export function placeOfCredentials(organisationId: string, integrationId: string): Place {
  return { table: 'integrations', organisationId, row: integrationId, field: 'credentials' };
}
