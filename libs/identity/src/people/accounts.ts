import { randomBytes, randomUUID } from 'node:crypto';
import type { Databases } from '@trunkline/storage';
import { PasswordUnfit, SignInRefused } from '../errors.js';
import { isOutdated, type Passwords, refuseUnfit } from './password.js';
import type { SignInThrottle } from './sign-in-throttle.js';

export interface Account {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly password: string | null;
}

/** What people sign in with. An address is the same whatever its capitals. */
export class Accounts {
  constructor(
    private readonly databases: Pick<Databases, 'access'>,
    private readonly passwords: Passwords,
    private readonly throttle: SignInThrottle,
  ) {}

  /** The same answer, after the same work, for an unknown account, a wrong password and an account without one. */
  async signIn(given: { readonly email: string; readonly password: string }, address: string): Promise<Account> {
    const email = canonicalEmail(given.email);
    const attempt = await this.throttle.begin(email, address);
    const account = await this.byEmail(email);
    const matches = await this.passwords.matches(given.password, account?.password ?? null);
    if (account === null || !matches) throw SignInRefused.because('nothing more is said');
    await attempt.succeeded();
    if (account.password !== null && isOutdated(account.password)) await this.store(account.id, await this.passwords.hash(given.password));
    return account;
  }

  async byEmail(email: string): Promise<Account | null> {
    const { rows } = await this.databases.access.query<Account>('select id, email, name, password from users where email = $1', [canonicalEmail(email)]);
    return rows[0] ?? null;
  }

  async byLogin(issuer: string, subject: string): Promise<Account | null> {
    const { rows } = await this.databases.access.query<Account>('select u.id, u.email, u.name, u.password from user_logins l join users u on u.id = l.user_id where l.issuer = $1 and l.subject = $2', [issuer, subject]);
    return rows[0] ?? null;
  }

  async link(userId: string, issuer: string, subject: string): Promise<void> {
    await this.databases.access.query('insert into user_logins (issuer, subject, user_id) values ($1, $2, $3) on conflict (issuer, subject) do nothing', [issuer, subject, userId]);
  }

  /** Without a password the account is for OpenID alone. Null: the address has an account already. */
  async create(person: { readonly email: string; readonly name: string; readonly password: string | null; readonly id?: string }): Promise<Account | null> {
    const email = canonicalEmail(person.email);
    if (person.password !== null) refuseUnfit(person.password, [person.name, email, email.split('@')[0] ?? '']);
    const hash = person.password === null ? null : await this.passwords.hash(person.password);
    const { rows } = await this.databases.access.query<Account>('insert into users (id, email, name, password, password_changed_at) values ($1, $2, $3, $4, now()) on conflict (email) do nothing returning id, email, name, password', [person.id ?? randomUUID(), email, person.name, hash]);
    return rows[0] ?? null;
  }

  async changePassword(account: { readonly userId: string; readonly email: string; readonly name: string }, current: string, next: string, address: string): Promise<void> {
    // Not 401: the session is good, and a page that took it for ended would lose what was typed.
    await this.signIn({ email: account.email, password: current }, address).catch((error: unknown) => {
      throw SignInRefused.matches(error) ? PasswordUnfit.because('the current password is another one') : error;
    });
    if (current === next) throw PasswordUnfit.because('it is the one you have');
    refuseUnfit(next, [account.name, account.email, account.email.split('@')[0] ?? '']);
    await this.store(account.userId, await this.passwords.hash(next));
  }

  /** For somebody who forgot theirs, by the operator alone: an administrator of one organisation must not get at an account that also belongs to another. Ends every session; null: there is no such account. */
  async replacePassword(email: string): Promise<string | null> {
    const account = await this.byEmail(email);
    if (account === null) return null;
    const password = randomBytes(15).toString('base64url');
    await this.store(account.id, await this.passwords.hash(password));
    await this.databases.access.query('delete from sessions where user_id = $1', [account.id]);
    return password;
  }

  /** Where to look for the memberships of a person. It gives no right: a membership is read from the organisation itself. */
  async belongsTo(userId: string, organisationId: string): Promise<void> {
    await this.databases.access.query('update users set organisations = organisations || $2::uuid where id = $1 and not organisations @> array[$2::uuid]', [userId, organisationId]);
  }

  private async store(userId: string, hash: string): Promise<void> {
    await this.databases.access.query('update users set password = $2, password_changed_at = now() where id = $1', [userId, hash]);
  }
}

export function canonicalEmail(email: string): string {
  return email.trim().normalize('NFC').toLowerCase();
}
