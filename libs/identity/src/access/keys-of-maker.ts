import type { inOrganisations } from '@trunkline/storage';
import type { PermissionName } from './permission.js';
import { holdsAll } from './actor.js';
import { isRole, permissionsOfRole } from './role.js';
import { permissionsOfScopes } from './scope.js';

type Client = Parameters<Parameters<typeof inOrganisations>[2]>[0];

/** Keys that a person made, and those made with these. */
const made = `with recursive made as (
       select key_id from api_keys where organisation_id = $1 and created_by = $2
       union select k.key_id from api_keys k join made on k.created_by = 'key:' || made.key_id where k.organisation_id = $1
     )`;

/** Withdraws the open invitations that were sent with a key which is being revoked. Answers with their ids. */
export async function withdrawInvitationsOfKey(client: Client, organisationId: string, keyId: string): Promise<readonly string[]> {
  const { rows } = await client.query<{ readonly id: string }>('update invitations set revoked_at = now() where organisation_id = $1 and invited_by = $2 and accepted_at is null and revoked_at is null and expires_at > now() returning id', [organisationId, `key:${keyId}`]);
  return rows.map(({ id }) => id);
}

/** Revokes the keys that a person made, and those made with these, which may more than is left to that person. Answers with their ids. */
export async function revokeKeysBeyond(client: Client, organisationId: string, userId: string, left: ReadonlySet<PermissionName>): Promise<readonly string[]> {
  const { rows } = await client.query<{ readonly key_id: string; readonly scopes: readonly string[] }>(
    `${made}
     select k.key_id, k.scopes from api_keys k join made using (key_id) where k.organisation_id = $1 and k.revoked_at is null and (k.expires_at is null or k.expires_at > now()) order by k.created_at, k.key_id for update of k`,
    [organisationId, `user:${userId}`],
  );
  const beyond = rows.filter(({ scopes }) => [...permissionsOfScopes(scopes)].some((permission) => !left.has(permission))).map(({ key_id }) => key_id);
  if (beyond.length === 0) return beyond;
  await client.query('update api_keys set revoked_at = now() where organisation_id = $1 and key_id = any ($2)', [organisationId, beyond]);
  await client.query('delete from api_key_index where organisation_id = $1 and key_id = any ($2)', [organisationId, beyond]);
  return beyond;
}

/** Withdraws the open invitations that a person sent, or that were sent with keys of theirs, which could not be sent with what is left to that person. Answers with their ids. */
export async function withdrawInvitationsBeyond(client: Client, organisationId: string, userId: string, left: ReadonlySet<PermissionName>): Promise<readonly string[]> {
  const { rows } = await client.query<{ readonly id: string; readonly role: string }>(
    `${made}
     select id, role from invitations where organisation_id = $1 and accepted_at is null and revoked_at is null and expires_at > now()
       and (invited_by = $2 or invited_by in (select 'key:' || key_id from made)) order by created_at, id for update`,
    [organisationId, `user:${userId}`],
  );
  const isTheirsToGive = (role: string): boolean => isRole(role) && left.has('people:manage') && holdsAll({ permissions: left }, permissionsOfRole[role]);
  const beyond = rows.filter(({ role }) => !isTheirsToGive(role)).map(({ id }) => id);
  if (beyond.length > 0) await client.query('update invitations set revoked_at = now() where organisation_id = $1 and id = any ($2)', [organisationId, beyond]);
  return beyond;
}
