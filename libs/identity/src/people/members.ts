import { type Databases, inOrganisations } from '@trunkline/storage';
import { type Actor, holdsAll } from '../access/actor.js';
import { revokeKeysBeyond, withdrawInvitationsBeyond } from '../access/keys-of-maker.js';
import type { PermissionName } from '../access/permission.js';
import { isRole, permissionsOfRole, type Role } from '../access/role.js';
import { LastOwner, MemberMissing, NotYours } from '../errors.js';

export interface Member {
  readonly userId: string;
  readonly email: string;
  readonly name: string;
  readonly role: Role;
  readonly createdAt: Date;
}

export interface ChangedMember {
  readonly before: Member;
  /** Ids of the keys that were revoked with it: made by that person, or with a key of theirs, and allowed more than is left to them. */
  readonly revokedKeys: readonly string[];
  /** Ids of the open invitations that were withdrawn with it: sent by that person, or with a key of theirs, and not theirs to send any more. */
  readonly withdrawnInvitations: readonly string[];
}

interface Row {
  readonly user_id: string;
  readonly email: string;
  readonly name: string;
  readonly role: string;
  readonly created_at: Date;
}

type Client = Parameters<Parameters<typeof inOrganisations>[2]>[0];

/** Who belongs to an organisation, and as what. */
export class Members {
  constructor(private readonly databases: Pick<Databases, 'system'>) {}

  async list(organisationId: string): Promise<readonly Member[]> {
    const { rows } = await inOrganisations(this.databases, [organisationId], (client) => client.query<Row>('select user_id, email, name, role, created_at from memberships where organisation_id = $1 order by created_at, user_id', [organisationId]));
    return rows.map(memberOf);
  }

  /** Counts from the person's next request on. */
  async changeRole(actor: Actor, userId: string, role: Role): Promise<ChangedMember & { readonly after: Member }> {
    const changed = await this.changing(actor, userId, role, async (client) => {
      await client.query('update memberships set role = $3 where organisation_id = $1 and user_id = $2', [actor.organisationId, userId, role]);
    });
    return { ...changed, after: { ...changed.before, role } };
  }

  async remove(actor: Actor, userId: string): Promise<ChangedMember> {
    return this.changing(actor, userId, null, async (client) => {
      await client.query('delete from memberships where organisation_id = $1 and user_id = $2', [actor.organisationId, userId]);
    });
  }

  /** All members are locked first: two owners who unmake each other at the same time would leave none. */
  private async changing(actor: Actor, userId: string, role: Role | null, change: (client: Client) => Promise<void>): Promise<ChangedMember> {
    return inOrganisations(this.databases, [actor.organisationId], async (client) => {
      const { rows } = await client.query<Row>('select user_id, email, name, role, created_at from memberships where organisation_id = $1 order by user_id for update', [actor.organisationId]);
      const row = rows.find((one) => one.user_id === userId);
      if (row === undefined) throw MemberMissing.because(`member ${userId}`);
      const member = memberOf(row);
      // Neither a role nor a person above one's own.
      for (const touched of role === null ? [member.role] : [member.role, role]) if (!holdsAll(actor, permissionsOfRole[touched])) throw NotYours.because(`the role ${touched}`);
      if (member.role === 'owner' && role !== 'owner' && rows.filter((one) => one.role === 'owner').length === 1) throw LastOwner.because(`${member.email} is the only one`);
      await change(client);
      const left = role === null ? new Set<PermissionName>() : permissionsOfRole[role];
      // Keys first, as where one is revoked by itself.
      const revokedKeys = await revokeKeysBeyond(client, actor.organisationId, userId, left);
      return { before: member, revokedKeys, withdrawnInvitations: await withdrawInvitationsBeyond(client, actor.organisationId, userId, left) };
    });
  }
}

function memberOf(row: Row): Member {
  if (!isRole(row.role)) throw MemberMissing.because(`the role ${row.role} is not known here`);
  return { userId: row.user_id, email: row.email, name: row.name, role: row.role, createdAt: row.created_at };
}
