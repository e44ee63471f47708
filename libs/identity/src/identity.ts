import type { Databases } from '@trunkline/storage';
import { inOrganisations, isDatabaseAway } from '@trunkline/storage';
import { randomUUID } from 'node:crypto';
import { fingerprintOf, isSame, newApiKey, parseApiKey } from './api-key.js';
import { ApiKeyMissing, IdentityUnavailable, Unauthenticated } from './errors.js';
import type { CacheTimes } from './key-cache.js';
import { KeyCache } from './key-cache.js';

/** Who calls, as the credential says; never as a header or body says. */
export interface Caller {
  readonly organisationId: string;
  readonly keyId: string;
  readonly scopes: readonly string[];
}

export interface NewApiKey {
  readonly keyId: string;
  /** Shown this once; only its hash is kept. */
  readonly apiKey: string;
  readonly prefix: string;
}

export interface Identity {
  /** With a given id: repeatable, an organisation that exists stays as it is. */
  createOrganisation(organisation: { readonly name: string; readonly id?: string }): Promise<{ readonly id: string }>;
  createApiKey(key: { readonly organisationId: string; readonly name: string; readonly scopes: readonly string[]; readonly expiresAt?: Date }): Promise<NewApiKey>;
  /** Works here at once; other processes may accept the key for as long as they remember it. */
  revokeApiKey(key: { readonly organisationId: string; readonly keyId: string }): Promise<void>;
  /** Throws `identity.unauthenticated` (401), or `identity.unavailable` (503) when the key is not remembered and the database is away. */
  verifyApiKey(text: string): Promise<Caller>;
}

export interface IdentityOptions {
  readonly databases: Pick<Databases, 'system'>;
  readonly nowMs?: () => number;
  readonly times?: Partial<CacheTimes>;
}

interface KnownKey extends Caller {
  readonly sha256: Buffer;
  readonly expiresAtMs: number | null;
}

/** delivery §2: remembered 30 s, up to 15 min while the database is away; the answer must come within 2 s. */
const times: CacheTimes = { freshMs: 30_000, staleMs: 15 * 60_000, waitMs: 1_000, pauseMs: 1_000 };

export function createIdentity({ databases, nowMs = Date.now, times: given = {} }: IdentityOptions): Identity {
  const known = new KeyCache<KnownKey>((keyId) => loadKey(databases, keyId), isDatabaseAway, { ...times, ...given }, nowMs);

  return {
    createOrganisation: async ({ name, id = randomUUID() }) => {
      await inOrganisations(databases, [id], (client) => client.query('insert into organisations (id, name) values ($1, $2) on conflict (id) do nothing', [id, name]));
      return { id };
    },

    createApiKey: async ({ organisationId, name, scopes, expiresAt }) => {
      const key = newApiKey();
      const prefix = key.text.slice(0, 'tl_'.length + key.keyId.length);
      await inOrganisations(databases, [organisationId], async (client) => {
        await client.query('insert into api_keys (organisation_id, key_id, name, prefix, scopes, expires_at) values ($1, $2, $3, $4, $5, $6)', [organisationId, key.keyId, name, prefix, scopes, expiresAt ?? null]);
        await client.query('insert into api_key_index (key_id, sha256, organisation_id) values ($1, $2, $3)', [key.keyId, fingerprintOf(key), organisationId]);
      });
      return { keyId: key.keyId, apiKey: key.text, prefix };
    },

    revokeApiKey: async ({ organisationId, keyId }) => {
      await inOrganisations(databases, [organisationId], async (client) => {
        const { rowCount } = await client.query('update api_keys set revoked_at = coalesce(revoked_at, now()) where organisation_id = $1 and key_id = $2', [organisationId, keyId]);
        if (rowCount === 0) throw ApiKeyMissing.because(`revoking ${keyId}`);
        await client.query('delete from api_key_index where organisation_id = $1 and key_id = $2', [organisationId, keyId]);
      });
      known.forget(keyId);
    },

    verifyApiKey: async (text) => {
      const key = parseApiKey(text);
      if (key === null) throw Unauthenticated.because('it is missing or has not the form of a key');
      const looked = await known.look(key.keyId);
      if (looked.kind === 'away') throw IdentityUnavailable.from(looked.reason, 'looking up the API key');
      const found = looked.kind === 'found' ? looked.value : null;
      // Compared in any case, so that an unknown id takes as long as a wrong secret.
      const matches = isSame(fingerprintOf(key), found?.sha256 ?? Buffer.alloc(32));
      if (found === null || !matches || (found.expiresAtMs !== null && found.expiresAtMs <= nowMs())) throw Unauthenticated.because('it is unknown, revoked or expired');
      return { organisationId: found.organisationId, keyId: found.keyId, scopes: found.scopes };
    },
  };
}

/** The index first: until it has answered, the organisation to look into is not known. */
async function loadKey(databases: Pick<Databases, 'system'>, keyId: string): Promise<KnownKey | null> {
  const index = await databases.system.query<{ sha256: Buffer; organisation_id: string }>('select sha256, organisation_id from api_key_index where key_id = $1', [keyId]);
  const entry = index.rows[0];
  if (entry === undefined) return null;
  const organisationId = entry.organisation_id;
  const { rows } = await inOrganisations(databases, [organisationId], (client) =>
    client.query<{ scopes: string[]; expires_at: Date | null }>('update api_keys set last_used_at = now() where organisation_id = $1 and key_id = $2 and revoked_at is null returning scopes, expires_at', [organisationId, keyId]),
  );
  const key = rows[0];
  if (key === undefined) return null;
  return { organisationId, keyId, scopes: key.scopes, sha256: entry.sha256, expiresAtMs: key.expires_at?.getTime() ?? null };
}
