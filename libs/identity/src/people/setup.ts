import { hashOf, uuidFrom } from '@trunkline/contracts';
import { type Databases, inOrganisations } from '@trunkline/storage';
import { newSecretToken, sha256Of } from '../access/secret-token.js';
import { OrganisationMissing, SetupClosed } from '../errors.js';
import { canonicalEmail } from './accounts.js';
import { inAccess } from './in-access.js';
import { type Passwords, refuseUnfit } from './password.js';

const tokenForMs = 24 * 3_600_000;

export interface FirstOwner {
  readonly email: string;
  readonly name: string;
  readonly password: string;
  /** An organisation that is there already, or the name of a new one. */
  readonly organisation: { readonly id: string } | { readonly name: string };
}

/** How the first owner comes to be: by a token that only who starts the platform can read. There is no default password (S23). */
export class Setup {
  constructor(
    private readonly databases: Pick<Databases, 'access' | 'system'>,
    private readonly passwords: Passwords,
    private readonly nowMs: () => number,
  ) {}

  /** A new token, to be printed once; null when the platform has its first owner. Several gateways starting at once print one each, and each is good until the first is used. */
  async offer(): Promise<string | null> {
    const token = newSecretToken('tsu_');
    const { rowCount } = await this.databases.access.query('insert into setup_tokens (sha256, expires_at) select $1, to_timestamp($2) where not exists (select from installation)', [sha256Of(token), (this.nowMs() + tokenForMs) / 1_000]);
    return rowCount === 1 ? token : null;
  }

  /** Once: of two set-ups at the same time the second waits for the first and is then refused. */
  async complete(token: string, owner: FirstOwner): Promise<{ readonly userId: string; readonly organisationId: string }> {
    const email = canonicalEmail(owner.email);
    if (!(await this.isOpen(token))) throw SetupClosed.because('it is unknown, used or expired');
    refuseUnfit(owner.password, [owner.name, email, email.split('@')[0] ?? '']);
    const hash = await this.passwords.hash(owner.password);
    return inAccess(this.databases, async (client) => {
      const { rowCount: isFirst } = await client.query('insert into installation (is_set_up) values (true) on conflict do nothing');
      if (isFirst !== 1) throw SetupClosed.because('the first owner is there already');
      const { rowCount: isOpen } = await client.query('delete from setup_tokens where sha256 = $1', [sha256Of(token)]);
      if (isOpen !== 1) throw SetupClosed.because('it was used just now');
      await client.query('delete from setup_tokens');
      // Functions of the token: killed before the commit below, a repeat finds what this one made in the other transaction.
      const organisationId = 'id' in owner.organisation ? owner.organisation.id : uuidFrom(hashOf('setup', 'organisation', token));
      const { rows } = await client.query<{ id: string }>(
        `insert into users (id, email, name, password, password_changed_at, organisations) values ($1, $2, $3, $4, now(), array[$5::uuid])
         on conflict (email) do update set password = excluded.password, password_changed_at = now(), organisations = array_append(array_remove(users.organisations, $5), $5) returning id`,
        [uuidFrom(hashOf('setup', 'user', token)), email, owner.name, hash, organisationId],
      );
      const userId = rows[0]?.id ?? '';
      await this.giveOrganisation(organisationId, { ...owner, email }, userId);
      return { userId, organisationId };
    });
  }

  private async isOpen(token: string): Promise<boolean> {
    const { rowCount } = await this.databases.access.query('select from setup_tokens where sha256 = $1 and expires_at > to_timestamp($2) and not exists (select from installation)', [sha256Of(token), this.nowMs() / 1_000]);
    return rowCount === 1;
  }

  private async giveOrganisation(organisationId: string, owner: FirstOwner, userId: string): Promise<void> {
    await inOrganisations(this.databases, [organisationId], async (client) => {
      if ('name' in owner.organisation) await client.query('insert into organisations (id, name) values ($1, $2) on conflict (id) do nothing', [organisationId, owner.organisation.name]);
      const { rowCount } = await client.query('select from organisations where id = $1', [organisationId]);
      if (rowCount !== 1) throw OrganisationMissing.because(`organisation ${organisationId}`);
      await client.query(`insert into memberships (organisation_id, user_id, role, email, name) values ($1, $2, 'owner', $3, $4) on conflict (organisation_id, user_id) do nothing`, [organisationId, userId, owner.email, owner.name]);
    });
  }
}
