import { randomUUID } from 'node:crypto';
import { type Provider, providers as registered } from '@trunkline/connectors';
import { allowEverywhere, createOutbound } from '@trunkline/outbound';
import { type Databases, inTenant, placeOfCredentials } from '@trunkline/storage';
import type { Vault } from '@trunkline/vault';
import { type ConnectedParts, SignIns, StoredGrant, type GrantTuning } from '../index.js';

export interface SignedInWishes {
  readonly databases: Databases;
  readonly vault: Vault;
  readonly organisationId: string;
  readonly provider: string;
  readonly settings: Readonly<Record<string, unknown>>;
  /** Of an integration that is there already. */
  readonly integrationId?: string;
}

/** An integration for which a person has just signed in at a running simulator. */
export interface SignedInIntegration {
  readonly integrationId: string;
  readonly parts: ConnectedParts;
  /** As another process has it. */
  grant(tuning?: Partial<GrantTuning>): StoredGrant;
  signInAgain(): Promise<void>;
  close(): Promise<void>;
}

export async function signInAtSimulator({ databases, vault, organisationId, provider: name, settings, integrationId = randomUUID() }: SignedInWishes): Promise<SignedInIntegration> {
  const provider = registered.find(({ id }) => id === name) as Provider;
  const credentials = { client_id: 'id', client_secret: 'secret' };
  const sealed = await vault.seal(JSON.stringify(credentials), placeOfCredentials(organisationId, integrationId));
  await inTenant(databases, organisationId, (client) => client.query('insert into integrations (organisation_id, id, provider, name, settings, credentials) values ($1, $2, $3, $3, $4, $5) on conflict do nothing', [organisationId, integrationId, name, JSON.stringify(settings), sealed]));
  const outbound = createOutbound({ policy: allowEverywhere });
  const parts = (version: number): ConnectedParts => ({ organisationId, integrationId, version, provider, settings, credentials, send: (request) => outbound.request(request), nowMs: Date.now });
  const signIns = new SignIns(databases, vault);
  const signIn = async (): Promise<void> => {
    const { rows } = await inTenant(databases, organisationId, (client) => client.query<{ version: number }>('select version from integrations where organisation_id = $1 and id = $2', [organisationId, integrationId]));
    const now = parts(rows[0]?.version ?? 1);
    const { url } = await signIns.begin(now, { startedBy: 'key:spec', sessionId: null, redirectUri: `https://trunkline.example/oauth/callback/${name}` });
    const sent = await fetch(url, { redirect: 'manual' });
    const query = new URL(sent.headers.get('location') ?? '').searchParams;
    await signIns.finish(await signIns.take(query.get('state') ?? '', name), query, now, () => Promise.resolve(true));
  };
  await signIn();
  return { integrationId, parts: parts(1), grant: (tuning = {}) => new StoredGrant({ ...parts(1), databases, vault, tuning }), signInAgain: signIn, close: () => outbound.close() };
}

export interface TokenCallSeen {
  readonly grantType: string;
  readonly outcome: string;
}

/** Refreshes as the simulator's own journal tells them. */
export async function refreshesAt(url: string): Promise<readonly TokenCallSeen[]> {
  const answer = await fetch(`${url}/_control/token-calls`);
  const { calls } = (await answer.json()) as { readonly calls: readonly TokenCallSeen[] };
  return calls.filter(({ grantType }) => grantType === 'refresh_token');
}
