import { SignInAtProvider } from '@trunkline/connectors';
import { startDeadline } from '@trunkline/outbound';
import { type Databases, inTenant, placeOfGrant } from '@trunkline/storage';
import type { Vault } from '@trunkline/vault';
import { GrantMissing } from './errors.js';
import { type AlongWithGrant, type GrantStanding, standing } from './grant-change.js';
import type { ConnectedParts } from './sign-ins.js';
import { type GrantTokens, textIn } from './tokens.js';

const endpointMs = 10_000;

type Parts = { readonly databases: Pick<Databases, 'tenant'>; readonly vault: Pick<Vault, 'open'> };

/** Forgets the tokens first, then gives the grant back to the provider. False: the provider has no way to, or was not reached; there it stands until somebody ends it. */
export async function disconnect({ databases, vault }: Parts, integration: ConnectedParts, along?: AlongWithGrant): Promise<{ readonly isRevokedThere: boolean }> {
  const { organisationId, integrationId } = integration;
  const sealed = await inTenant(databases, organisationId, async (client) => {
    const { rows } = await client.query<GrantStanding & { readonly tokens: Buffer | null }>(`select ${standing}, tokens from grants where organisation_id = $1 and integration_id = $2 for update`, [organisationId, integrationId]);
    if (rows[0] === undefined) throw GrantMissing.because(integrationId);
    const { tokens, ...before } = rows[0];
    await client.query(`update grants set state = 'disconnected', reason = 'disconnected', tokens = null, version = version + 1, refreshing_by = null, refreshing_until = null where organisation_id = $1 and integration_id = $2`, [organisationId, integrationId]);
    // Its work is held, not sent under other credentials: the setting stays.
    await client.query('update integrations set version = version + 1, updated_at = clock_timestamp() where organisation_id = $1 and id = $2', [organisationId, integrationId]);
    await along?.(client, before, { ...before, state: 'disconnected', reason: 'disconnected' });
    return tokens;
  });
  return { isRevokedThere: await giveBack(vault, integration, sealed) };
}

/** What is to be given back once the integration is deleted, and its tokens with it; null: nothing. */
export async function grantToGiveBack({ databases, vault }: Parts, organisationId: string, integrationId: string): Promise<((integration: ConnectedParts) => Promise<boolean>) | null> {
  const { rows } = await inTenant(databases, organisationId, (client) => client.query<{ tokens: Buffer | null }>('select tokens from grants where organisation_id = $1 and integration_id = $2', [organisationId, integrationId]));
  const sealed = rows[0]?.tokens ?? null;
  return sealed === null ? null : (integration) => giveBack(vault, integration, sealed);
}

async function giveBack(vault: Pick<Vault, 'open'>, integration: ConnectedParts, sealed: Buffer | null): Promise<boolean> {
  if (sealed === null) return false;
  const tokens = JSON.parse((await vault.open(sealed, placeOfGrant(integration.organisationId, integration.integrationId))).toString('utf8')) as GrantTokens;
  const token = textIn(tokens, 'refresh_token') ?? textIn(tokens, 'access_token');
  const conversation = new SignInAtProvider(integration);
  // Only where it came from.
  if (token === null || conversation.places().join(' ') !== tokens.places.join(' ')) return false;
  return conversation.revoke(token, startDeadline(endpointMs));
}
