import { randomUUID } from 'node:crypto';
import type { Databases } from '@trunkline/storage';
import { inOrganisations, isDatabaseAway } from '@trunkline/storage';
import { type ApiKeyText, fingerprintOf, newApiKey, parseApiKey } from './access/api-key.js';
import type { CacheTimes } from './access/key-cache.js';
import { KeyCache } from './access/key-cache.js';
import { withdrawInvitationsOfKey } from './access/keys-of-maker.js';
import type { PermissionName } from './access/permission.js';
import { isScope, permissionsOfScopes } from './access/scope.js';
import { isSame } from './access/secret-token.js';
import { ApiKeyMissing, IdentityUnavailable, OrganisationMissing, ScopeUnknown, Unauthenticated } from './errors.js';
import { type Plan, type PlanName, planOf } from './plan/plan.js';

/** Who calls, as the API key says; never as a header or body says. */
export interface Caller {
  readonly organisationId: string;
  readonly keyId: string;
  readonly scopes: readonly string[];
  readonly permissions: ReadonlySet<PermissionName>;
  readonly plan: Plan;
}

export interface NewApiKey {
  readonly keyId: string;
  /** Shown this once; only its hash is kept. */
  readonly apiKey: string;
  readonly prefix: string;
}

export interface WantedApiKey {
  readonly organisationId: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly expiresAt?: Date;
  /** Who made it, as `actorName` says. */
  readonly by?: string;
}

/** All that is shown of a key after its first moment. */
export interface ApiKeySummary {
  readonly keyId: string;
  readonly name: string;
  readonly prefix: string;
  readonly scopes: readonly string[];
  readonly createdAt: Date;
  readonly createdBy: string | null;
  readonly replaces: string | null;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
  /** To the nearest few minutes. */
  readonly lastUsedAt: Date | null;
}

export interface Identity {
  /** With a given id: repeatable, an organisation that exists stays as it is. Without a plan it is hindered by none. */
  createOrganisation(organisation: { readonly name: string; readonly id?: string; readonly plan?: PlanName }): Promise<{ readonly id: string }>;
  /** Gateways that remember a key see the new plan within 30 s. Answers with the one it takes the place of. */
  givePlan(agreed: { readonly organisationId: string; readonly plan: PlanName; readonly overrides?: Readonly<Record<string, number | null>> }): Promise<GivenPlan | null>;
  createApiKey(key: WantedApiKey): Promise<NewApiKey>;
  /** A new key with the same name and scopes; the old one goes on for the overlap. */
  rotateApiKey(key: { readonly organisationId: string; readonly keyId: string; readonly overlapMs: number; readonly by?: string }): Promise<NewApiKey>;
  listApiKeys(organisationId: string): Promise<readonly ApiKeySummary[]>;
  /** Works here at once; other processes may accept the key for as long as they remember it, but send no invitation with it. Open invitations that were sent with it are withdrawn. */
  revokeApiKey(key: { readonly organisationId: string; readonly keyId: string }): Promise<RevokedApiKey>;
  /** For keys that were revoked with a member's role: here they work no longer at once. */
  forgetApiKeys(keyIds: readonly string[]): void;
  /** The caller of a key that was checked a moment ago; null when somebody has to be asked. */
  recallApiKey(text: string): Caller | null;
  /** Throws `identity.unauthenticated` (401), or `identity.unavailable` (503) when the key is not remembered and the database is away. */
  verifyApiKey(text: string): Promise<Caller>;
}

export interface RevokedApiKey {
  /** Ids. */
  readonly withdrawnInvitations: readonly string[];
}

/** As it is stored; what it comes to is `planOf`. */
export interface GivenPlan {
  readonly plan: string;
  readonly overrides: Readonly<Record<string, unknown>>;
}

export interface IdentityOptions {
  readonly databases: Pick<Databases, 'system'>;
  readonly nowMs?: () => number;
  readonly times?: Partial<CacheTimes>;
}

interface KnownKey {
  readonly caller: Caller;
  readonly sha256: Buffer;
  readonly expiresAtMs: number | null;
}

/** delivery §2: remembered 30 s, up to 15 min while the database is away; the answer must come within 2 s. */
const times: CacheTimes = { freshMs: 30_000, staleMs: 15 * 60_000, waitMs: 1_000, pauseMs: 1_000 };

export function createIdentity({ databases, nowMs = Date.now, times: given = {} }: IdentityOptions): Identity {
  const known = new KeyCache<KnownKey>((keyId) => loadKey(databases, keyId), isDatabaseAway, { ...times, ...given }, nowMs);
  /** Compared in any case, so that an unknown id takes as long as a wrong secret. */
  const callerOf = (key: ApiKeyText, found: KnownKey | null): Caller | null => {
    const matches = isSame(fingerprintOf(key), found?.sha256 ?? Buffer.alloc(32));
    return found === null || !matches || (found.expiresAtMs !== null && found.expiresAtMs <= nowMs()) ? null : found.caller;
  };

  return {
    createOrganisation: async ({ name, id = randomUUID(), plan }) => {
      await inOrganisations(databases, [id], async (client) => {
        await client.query('insert into organisations (id, name) values ($1, $2) on conflict (id) do nothing', [id, name]);
        if (plan !== undefined) await client.query('insert into organisation_plans (organisation_id, plan) values ($1, $2) on conflict (organisation_id) do nothing', [id, plan]);
      });
      return { id };
    },

    givePlan: async ({ organisationId, plan, overrides = {} }) => {
      return inOrganisations(databases, [organisationId], async (client) => {
        const { rows } = await client.query<GivenPlan>('select plan, overrides from organisation_plans where organisation_id = $1 for update', [organisationId]);
        const { rowCount } = await client.query('insert into organisation_plans (organisation_id, plan, overrides) select id, $2, $3 from organisations where id = $1 on conflict (organisation_id) do update set plan = excluded.plan, overrides = excluded.overrides, since = now()', [organisationId, plan, JSON.stringify(overrides)]);
        if (rowCount !== 1) throw OrganisationMissing.because(`organisation ${organisationId}`);
        return rows[0] ?? null;
      });
    },

    createApiKey: async (wanted) => {
      const unknown = wanted.scopes.find((scope) => !isScope(scope));
      if (unknown !== undefined) throw ScopeUnknown.because(JSON.stringify(unknown.slice(0, 100)));
      return inOrganisations(databases, [wanted.organisationId], (client) => storeKey(client, wanted, null));
    },

    rotateApiKey: async ({ organisationId, keyId, overlapMs, by }) => {
      const made = await inOrganisations(databases, [organisationId], async (client) => {
        const { rows } = await client.query<{ name: string; scopes: string[]; expires_at: Date | null }>('select name, scopes, expires_at from api_keys where organisation_id = $1 and key_id = $2 and revoked_at is null and (expires_at is null or expires_at > now()) for update', [organisationId, keyId]);
        const old = rows[0];
        if (old === undefined) throw ApiKeyMissing.because(`rotating ${keyId}`);
        const fresh = await storeKey(client, { organisationId, name: old.name, scopes: old.scopes, expiresAt: old.expires_at ?? undefined, by }, keyId);
        await client.query('update api_keys set expires_at = least(expires_at, to_timestamp($3)) where organisation_id = $1 and key_id = $2', [organisationId, keyId, (nowMs() + overlapMs) / 1_000]);
        return fresh;
      });
      known.forget(keyId);
      return made;
    },

    listApiKeys: async (organisationId) => {
      const { rows } = await inOrganisations(databases, [organisationId], (client) =>
        client.query<ApiKeySummary>(
          `select key_id as "keyId", name, prefix, scopes, created_at as "createdAt", created_by as "createdBy", replaces, expires_at as "expiresAt", revoked_at as "revokedAt", last_used_at as "lastUsedAt"
           from api_keys where organisation_id = $1 order by created_at, key_id`,
          [organisationId],
        ),
      );
      return rows;
    },

    revokeApiKey: async ({ organisationId, keyId }) => {
      const withdrawnInvitations = await inOrganisations(databases, [organisationId], async (client) => {
        // The key's row first, as whoever sends an invitation with it: one that is being sent just now is withdrawn, or refused.
        const { rowCount } = await client.query('update api_keys set revoked_at = coalesce(revoked_at, now()) where organisation_id = $1 and key_id = $2', [organisationId, keyId]);
        if (rowCount === 0) throw ApiKeyMissing.because(`revoking ${keyId}`);
        await client.query('delete from api_key_index where organisation_id = $1 and key_id = $2', [organisationId, keyId]);
        return withdrawInvitationsOfKey(client, organisationId, keyId);
      });
      known.forget(keyId);
      return { withdrawnInvitations };
    },

    forgetApiKeys: (keyIds) => {
      for (const keyId of keyIds) known.forget(keyId);
    },

    recallApiKey: (text) => {
      const key = parseApiKey(text);
      const found = key === null ? null : known.recall(key.keyId);
      return key === null || found === null ? null : callerOf(key, found);
    },

    verifyApiKey: async (text) => {
      const key = parseApiKey(text);
      if (key === null) throw Unauthenticated.because('it is missing or has not the form of a key');
      const looked = await known.look(key.keyId);
      if (looked.kind === 'away') throw IdentityUnavailable.from(looked.reason, 'looking up the API key');
      const caller = callerOf(key, looked.kind === 'found' ? looked.value : null);
      if (caller === null) throw Unauthenticated.because('it is unknown, revoked or expired');
      return caller;
    },
  };
}

type Client = Parameters<Parameters<typeof inOrganisations>[2]>[0];

async function storeKey(client: Client, wanted: WantedApiKey, replaces: string | null): Promise<NewApiKey> {
  const key = newApiKey();
  const prefix = key.text.slice(0, 'tl_'.length + key.keyId.length);
  await client.query('insert into api_keys (organisation_id, key_id, name, prefix, scopes, expires_at, created_by, replaces) values ($1, $2, $3, $4, $5, $6, $7, $8)', [wanted.organisationId, key.keyId, wanted.name, prefix, wanted.scopes, wanted.expiresAt ?? null, wanted.by ?? null, replaces]);
  await client.query('insert into api_key_index (key_id, sha256, organisation_id) values ($1, $2, $3)', [key.keyId, fingerprintOf(key), wanted.organisationId]);
  return { keyId: key.keyId, apiKey: key.text, prefix };
}

interface KeyRow {
  readonly scopes: string[];
  readonly expires_at: Date | null;
  readonly is_use_old: boolean;
  readonly plan: string | null;
  readonly overrides: Record<string, unknown> | null;
}

/** The index first: until it has answered, the organisation to look into is not known. */
async function loadKey(databases: Pick<Databases, 'system'>, keyId: string): Promise<KnownKey | null> {
  const index = await databases.system.query<{ sha256: Buffer; organisation_id: string }>('select sha256, organisation_id from api_key_index where key_id = $1', [keyId]);
  const entry = index.rows[0];
  if (entry === undefined) return null;
  const organisationId = entry.organisation_id;
  const key = await inOrganisations(databases, [organisationId], async (client) => {
    const { rows } = await client.query<KeyRow>(
      `select k.scopes, k.expires_at, k.last_used_at is null or k.last_used_at < now() - interval '5 minutes' as is_use_old, p.plan, p.overrides
       from api_keys k left join organisation_plans p on p.organisation_id = k.organisation_id where k.organisation_id = $1 and k.key_id = $2 and k.revoked_at is null`,
      [organisationId, keyId],
    );
    return rows[0];
  });
  if (key === undefined) return null;
  if (key.is_use_old) await noteUse(databases, organisationId, keyId);
  const caller: Caller = { organisationId, keyId, scopes: key.scopes, permissions: permissionsOfScopes(key.scopes), plan: planOf(key.plan, key.overrides) };
  return { caller, sha256: entry.sha256, expiresAtMs: key.expires_at?.getTime() ?? null };
}

/** Every few minutes at most, in a transaction of its own: a database that can still be read but not written, for want of room, must not refuse keys. */
async function noteUse(databases: Pick<Databases, 'system'>, organisationId: string, keyId: string): Promise<void> {
  try {
    await inOrganisations(databases, [organisationId], (client) => client.query('update api_keys set last_used_at = now() where organisation_id = $1 and key_id = $2', [organisationId, keyId]));
  } catch {
    // A use that was not noted is noted with the next look-up.
  }
}
