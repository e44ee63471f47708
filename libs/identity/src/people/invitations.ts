import { randomUUID } from 'node:crypto';
import { type Databases, inOrganisations } from '@trunkline/storage';
import { type Actor, actorName, holdsAll } from '../access/actor.js';
import { isRole, permissionsOfRole, type Role } from '../access/role.js';
import { isSame, newSecretToken, sha256Of } from '../access/secret-token.js';
import { AboveYou, InvitationClosed, InvitationMissing, InvitationOther, NotYours, Unauthenticated } from '../errors.js';
import { type Account, type Accounts, canonicalEmail } from './accounts.js';

const openForMs = 7 * 24 * 3_600_000;
/** `ti_<organisation>_<invitation>_<secret>`: says where to look, so that nothing tenant-free need be kept. */
const form = /^ti_([0-9a-f]{32})_([0-9a-f]{32})_[A-Za-z0-9_-]{43}$/;

export interface Invitation {
  readonly id: string;
  readonly organisationId: string;
  readonly email: string;
  readonly role: Role;
  readonly invitedBy: string;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

interface Row {
  readonly id: string;
  readonly organisation_id: string;
  readonly email: string;
  readonly role: string;
  readonly sha256: Buffer;
  readonly invited_by: string;
  readonly created_at: Date;
  readonly expires_at: Date;
}

interface RoleOfOne {
  readonly id: string;
  readonly role: string;
  readonly isOpen?: boolean;
}

/** How people come in: by name, for one role, once, within a week. */
export class Invitations {
  constructor(
    private readonly databases: Pick<Databases, 'system'>,
    private readonly accounts: Accounts,
    private readonly nowMs: () => number,
  ) {}

  /** Sent with a key, it goes with that key: who remembers a revoked one sends none with it. A new one for the same address takes the place of an open one, unless that one is for a role above the actor's. The token is shown this once. */
  async invite(actor: Actor, person: { readonly email: string; readonly role: Role }): Promise<{ readonly invitation: Invitation; readonly token: string }> {
    if (!holdsAll(actor, permissionsOfRole[person.role])) throw NotYours.because(`the role ${person.role}`);
    const { organisationId } = actor;
    const id = randomUUID();
    const token = newSecretToken(`ti_${organisationId.replaceAll('-', '')}_${id.replaceAll('-', '')}_`);
    const email = canonicalEmail(person.email);
    const now = this.nowMs();
    const row = await inOrganisations(this.databases, [organisationId], async (client) => {
      if (actor.kind === 'key') {
        const { rowCount } = await client.query('select from api_keys where organisation_id = $1 and key_id = $2 and revoked_at is null for share', [organisationId, actor.keyId]);
        if (rowCount !== 1) throw Unauthenticated.because('it is revoked');
      }
      const { rows: open } = await client.query<RoleOfOne>('update invitations set revoked_at = now() where organisation_id = $1 and email = $2 and accepted_at is null and revoked_at is null returning id, role, expires_at > to_timestamp($3) as "isOpen"', [organisationId, email, now / 1_000]);
      for (const replaced of open) if (replaced.isOpen) refuseAbove(actor, replaced);
      const { rows } = await client.query<Row>('insert into invitations (organisation_id, id, email, role, sha256, invited_by, created_at, expires_at) values ($1, $2, $3, $4, $5, $6, to_timestamp($7), to_timestamp($8)) returning *', [organisationId, id, email, person.role, sha256Of(token), actorName(actor), now / 1_000, (now + openForMs) / 1_000]);
      return rows[0];
    });
    if (row === undefined) throw InvitationMissing.because('it was not stored');
    return { invitation: invitationOf(row), token };
  }

  /** Those that can still be accepted. */
  async list(organisationId: string): Promise<readonly Invitation[]> {
    const rows = await this.inOrganisation(organisationId, 'select * from invitations where organisation_id = $1 and accepted_at is null and revoked_at is null and expires_at > to_timestamp($2) order by created_at, id', [organisationId, this.nowMs() / 1_000]);
    return rows.map(invitationOf);
  }

  async withdraw(actor: Actor, id: string): Promise<void> {
    await inOrganisations(this.databases, [actor.organisationId], async (client) => {
      const { rows } = await client.query<RoleOfOne>('update invitations set revoked_at = now() where organisation_id = $1 and id = $2 and accepted_at is null and revoked_at is null returning id, role', [actor.organisationId, id]);
      if (rows[0] === undefined) throw InvitationMissing.because(`invitation ${id}`);
      // What is thrown takes the update back.
      refuseAbove(actor, rows[0]);
    });
  }

  /** Throws unless it can be accepted now. */
  async look(token: string): Promise<Invitation> {
    const [, organisation, id] = form.exec(token) ?? [];
    if (organisation === undefined || id === undefined) throw InvitationClosed.because('the token has not the form of one');
    const invitation = await this.open(dashed(organisation), dashed(id));
    if (invitation === null || !isSame(invitation.sha256, sha256Of(token))) throw InvitationClosed.because('it is unknown, used, withdrawn or expired');
    return invitationOf(invitation);
  }

  /** Somebody without an account makes one; somebody with one shows that it is theirs by its password. */
  async acceptWithPassword(token: string, person: { readonly name: string; readonly password: string }, address: string): Promise<{ readonly account: Account; readonly invitation: Invitation }> {
    const invitation = await this.look(token);
    const known = await this.accounts.byEmail(invitation.email);
    const made = known === null ? await this.accounts.create({ email: invitation.email, ...person }) : null;
    const account = made ?? (await this.accounts.signIn({ email: invitation.email, password: person.password }, address));
    await this.join(invitation, account);
    return { account, invitation };
  }

  /** For whom an OpenID provider has vouched; what was remembered when the sign-in began is checked once more here. */
  async acceptVouched(organisationId: string, id: string, person: { readonly email: string; readonly name: string }): Promise<{ readonly account: Account; readonly invitation: Invitation }> {
    const row = await this.open(organisationId, id);
    if (row === null) throw InvitationClosed.because('it was used, withdrawn or has expired meanwhile');
    const invitation = invitationOf(row);
    if (canonicalEmail(person.email) !== invitation.email) throw InvitationOther.because('the confirmed address is another one');
    const account = (await this.accounts.create({ ...person, password: null })) ?? (await this.accounts.byEmail(person.email));
    if (account === null) throw InvitationClosed.because('the account was removed meanwhile');
    await this.join(invitation, account);
    return { account, invitation };
  }

  /** Who is a member already keeps the role. Once: of two acceptances at the same time one finds it used. The account is there before, so a crash in between leaves an open invitation and no lost person. */
  private async join(invitation: Invitation, account: Account): Promise<void> {
    if (account.email !== invitation.email) throw InvitationOther.because('the account has another address');
    await inOrganisations(this.databases, [invitation.organisationId], async (client) => {
      const { rowCount } = await client.query('update invitations set accepted_at = now() where organisation_id = $1 and id = $2 and accepted_at is null and revoked_at is null', [invitation.organisationId, invitation.id]);
      if (rowCount !== 1) throw InvitationClosed.because('it was used just now');
      await client.query('insert into memberships (organisation_id, user_id, role, email, name) values ($1, $2, $3, $4, $5) on conflict (organisation_id, user_id) do nothing', [invitation.organisationId, account.id, invitation.role, account.email, account.name]);
    });
    await this.accounts.belongsTo(account.id, invitation.organisationId);
  }

  private async open(organisationId: string, id: string): Promise<Row | null> {
    const rows = await this.inOrganisation(organisationId, 'select * from invitations where organisation_id = $1 and id = $2 and accepted_at is null and revoked_at is null and expires_at > to_timestamp($3)', [organisationId, id, this.nowMs() / 1_000]);
    return rows[0] ?? null;
  }

  private async inOrganisation(organisationId: string, text: string, values: readonly unknown[]): Promise<readonly Row[]> {
    return inOrganisations(this.databases, [organisationId], async (client) => (await client.query<Row>(text, [...values])).rows);
  }
}

/** Nobody takes away what they could not have given. */
function refuseAbove(actor: Actor, { id, role }: RoleOfOne): void {
  if (!isRole(role) || !holdsAll(actor, permissionsOfRole[role])) throw AboveYou.because(`invitation ${id} is for the role ${role}`);
}

function invitationOf(row: Row): Invitation {
  if (!isRole(row.role)) throw InvitationClosed.because(`its role ${row.role} is not known here`);
  return { id: row.id, organisationId: row.organisation_id, email: row.email, role: row.role, invitedBy: row.invited_by, createdAt: row.created_at, expiresAt: row.expires_at };
}

function dashed(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
