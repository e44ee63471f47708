import { randomUUID } from 'node:crypto';
import { type Databases, inOrganisations } from '@trunkline/storage';
import type { UserActor } from '../access/actor.js';
import type { PermissionName } from '../access/permission.js';
import { isRole, permissionsOfRole, type Role } from '../access/role.js';
import { newSecretToken, sha256Of } from '../access/secret-token.js';
import { OrganisationMissing } from '../errors.js';
import { type Plan, planOf } from '../plan/plan.js';

const hourMs = 3_600_000;
/** A session ends when it was not used for so long, and in any case after a week. */
export const sessionTimes = { idleMs: 8 * hourMs, longestMs: 7 * 24 * hourMs, usedEveryMs: 5 * 60_000 } as const;

const form = /^ts_[A-Za-z0-9_-]{43}$/;

/** From where somebody signed in; shown to them in the list of their sessions. */
export interface Place {
  readonly address: string;
  readonly browser: string;
}

export interface SignedIn {
  readonly userId: string;
  readonly sessionId: string;
  readonly email: string;
  readonly name: string;
  readonly hasPassword: boolean;
  /** Whose data the session is about; null: of nobody, as long as the person belongs to no organisation. */
  readonly membership: Membership | null;
}

export interface Membership {
  readonly organisationId: string;
  readonly organisation: string;
  readonly role: Role;
  readonly permissions: ReadonlySet<PermissionName>;
  readonly plan: Plan;
}

export interface SessionSummary {
  readonly id: string;
  readonly method: string;
  readonly address: string;
  readonly browser: string;
  readonly createdAt: Date;
  readonly usedAt: Date;
}

interface SessionRow {
  readonly id: string;
  readonly user_id: string;
  readonly organisation: string | null;
  readonly used_at: Date;
  readonly email: string;
  readonly name: string;
  readonly has_password: boolean;
  readonly organisations: readonly string[];
}

/** Kept on the server, so that ending one ends it. The browser has a random token, the database its hash. */
export class Sessions {
  constructor(
    private readonly databases: Pick<Databases, 'access' | 'system'>,
    private readonly nowMs: () => number,
  ) {}

  /** Always a new token: one that was planted in a browser before never becomes a signed-in one. The session it replaces ends. */
  async open(userId: string, method: 'password' | 'openid' | 'setup' | 'invitation', place: Place, options: { readonly organisationId?: string; readonly replaces?: string } = {}): Promise<string> {
    const token = newSecretToken('ts_');
    const now = this.nowMs();
    await this.databases.access.query(
      `insert into sessions (sha256, id, user_id, organisation, method, address, browser, created_at, used_at, expires_at)
       select $1, $2, id, coalesce($4, organisations[1]), $5, $6, $7, to_timestamp($8), to_timestamp($8), to_timestamp($9) from users where id = $3`,
      [sha256Of(token), randomUUID(), userId, options.organisationId ?? null, method, place.address, place.browser.slice(0, 300), now / 1_000, (now + sessionTimes.longestMs) / 1_000],
    );
    if (options.replaces !== undefined) await this.end(options.replaces);
    return token;
  }

  /** Asked anew for each request: a revoked session, a changed role or a lost membership counts from the next one on. Null: nobody is signed in. */
  async find(token: string): Promise<SignedIn | null> {
    if (!form.test(token)) return null;
    const now = this.nowMs();
    const { rows } = await this.databases.access.query<SessionRow>(
      `select s.id, s.user_id, s.organisation, s.used_at, u.email, u.name, u.password is not null as has_password, u.organisations
       from sessions s join users u on u.id = s.user_id where s.sha256 = $1 and s.expires_at > to_timestamp($2) and s.used_at > to_timestamp($3)`,
      [sha256Of(token), now / 1_000, (now - sessionTimes.idleMs) / 1_000],
    );
    const row = rows[0];
    if (row === undefined) return null;
    if (now - row.used_at.getTime() > sessionTimes.usedEveryMs) await this.databases.access.query('update sessions set used_at = to_timestamp($2) where id = $1', [row.id, now / 1_000]);
    const current = row.organisation ?? row.organisations[0];
    const membership = current === undefined ? null : await this.membership(row.user_id, current);
    return { userId: row.user_id, sessionId: row.id, email: row.email, name: row.name, hasPassword: row.has_password, membership };
  }

  /** What of a signed-in person decides what they may do. */
  async membership(userId: string, organisationId: string): Promise<Membership | null> {
    const { rows } = await inOrganisations(this.databases, [organisationId], (client) =>
      client.query<{ role: string; organisation: string; plan: string | null; overrides: Record<string, unknown> | null }>(
        `select m.role, o.name as organisation, p.plan, p.overrides from memberships m join organisations o on o.id = m.organisation_id left join organisation_plans p on p.organisation_id = m.organisation_id
         where m.organisation_id = $1 and m.user_id = $2`,
        [organisationId, userId],
      ),
    );
    const row = rows[0];
    if (row === undefined || !isRole(row.role)) return null;
    return { organisationId, organisation: row.organisation, role: row.role, permissions: permissionsOfRole[row.role], plan: planOf(row.plan, row.overrides) };
  }

  /** All organisations a person belongs to. */
  async memberships(userId: string): Promise<readonly Membership[]> {
    const { rows } = await this.databases.access.query<{ organisations: string[] }>('select organisations from users where id = $1', [userId]);
    const found = await Promise.all((rows[0]?.organisations ?? []).map((id) => this.membership(userId, id)));
    return found.filter((membership) => membership !== null);
  }

  /** Turns the session to another organisation of the same person. */
  async turnTo(signedIn: SignedIn, organisationId: string): Promise<Membership> {
    const membership = await this.membership(signedIn.userId, organisationId);
    if (membership === null) throw OrganisationMissing.because(`organisation ${organisationId}`);
    await this.databases.access.query('update sessions set organisation = $2 where id = $1', [signedIn.sessionId, organisationId]);
    return membership;
  }

  async end(token: string): Promise<void> {
    await this.databases.access.query('delete from sessions where sha256 = $1', [sha256Of(token)]);
  }

  async list(userId: string): Promise<readonly SessionSummary[]> {
    const now = this.nowMs();
    const { rows } = await this.databases.access.query<SessionSummary>(
      `select id, method, address, browser, created_at as "createdAt", used_at as "usedAt" from sessions where user_id = $1 and expires_at > to_timestamp($2) and used_at > to_timestamp($3) order by used_at desc, id`,
      [userId, now / 1_000, (now - sessionTimes.idleMs) / 1_000],
    );
    return rows;
  }

  /** One of a person's own; false: there is none of this id. */
  async endOne(userId: string, sessionId: string): Promise<boolean> {
    const { rowCount } = await this.databases.access.query('delete from sessions where user_id = $1 and id = $2', [userId, sessionId]);
    return rowCount === 1;
  }

  async endOthers(userId: string, keptSessionId: string | null): Promise<number> {
    const { rowCount } = await this.databases.access.query('delete from sessions where user_id = $1 and id is distinct from $2', [userId, keptSessionId]);
    return rowCount ?? 0;
  }

  async sweep(): Promise<void> {
    const now = this.nowMs();
    await this.databases.access.query('delete from sessions where expires_at < to_timestamp($1) or used_at < to_timestamp($2)', [now / 1_000, (now - sessionTimes.idleMs) / 1_000]);
  }
}

/** Null while the person belongs to no organisation: such a session may end itself and nothing else. */
export function actorOf(signedIn: SignedIn, address: string): UserActor | null {
  const { membership, userId, sessionId } = signedIn;
  return membership === null ? null : { kind: 'user', userId, sessionId, organisationId: membership.organisationId, permissions: membership.permissions, address };
}

/** Sent back by our own pages in `x-csrf-token`; nobody else can read or make it. It is a function of the session's token, so nothing is kept for it. */
export function csrfTokenOf(sessionToken: string): string {
  return sha256Of(`csrf:${sessionToken}`).toString('base64url');
}
