import type { AuditTrail } from '@trunkline/audit';
import { type People, SignInRefused } from '@trunkline/identity';
import type { FastifyRequest } from 'fastify';

/** What somebody did at the door, or about themselves. */
export interface PersonalAct {
  /** Null: they belong to no organisation, and there is no trail to write to. */
  readonly organisationId: string | null;
  readonly userId: string;
  readonly action: 'session:sign-in' | 'session:sign-out' | 'session:end' | 'session:turn' | 'account:password' | 'setup:complete' | 'invitations:accept';
  readonly outcome?: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

/** A failure is told to at most so many organisations of one account. */
const mostOrganisations = 20;

/** Entries of what needs no permission of an organisation: coming in, going out, what people decide about themselves. */
export class PeopleTrail {
  private readonly writing = new Set<Promise<void>>();

  constructor(
    private readonly trail: Pick<AuditTrail, 'append'>,
    private readonly people: Pick<People, 'accounts' | 'sessions' | 'invitations'>,
    private readonly reportLost: (error: unknown) => void,
  ) {}

  /** Before the answer leaves: what it says was done has its entry. */
  async tell(request: FastifyRequest, { organisationId, userId, action, outcome = 'done', before = null, after = null }: PersonalAct): Promise<void> {
    if (organisationId === null) return;
    await this.trail.append(organisationId, { actor: `user:${userId}`, address: request.ip, action, subject: subjectOf(request, userId), outcome, requestId: String(request.id), before, after });
  }

  /** After the answer, so that the time it takes tells nobody whether there is such an account. An unknown one has no organisation to tell. */
  signInRefused(request: FastifyRequest, email: string, error: unknown): void {
    if (!SignInRefused.matches(error)) return;
    this.later(async () => {
      const account = await this.people.accounts.byEmail(email);
      if (account === null) return;
      for (const { organisationId } of (await this.people.sessions.memberships(account.id)).slice(0, mostOrganisations)) await this.refused(request, organisationId, account.id, 'session:sign-in');
    });
  }

  /** Somebody who has the invitation, but not the password of the account it is for. */
  acceptanceRefused(request: FastifyRequest, token: string, error: unknown): void {
    if (!SignInRefused.matches(error)) return;
    this.later(async () => {
      const { organisationId, email } = await this.people.invitations.look(token);
      const account = await this.people.accounts.byEmail(email);
      if (account !== null) await this.refused(request, organisationId, account.id, 'invitations:accept');
    });
  }

  /** Waits for what is still being written. */
  async settled(): Promise<void> {
    await Promise.all(this.writing);
  }

  private refused(request: FastifyRequest, organisationId: string, userId: string, action: PersonalAct['action']): Promise<void> {
    return this.trail.append(organisationId, { actor: 'stranger', address: request.ip, action, subject: subjectOf(request, userId), outcome: SignInRefused.code, requestId: String(request.id), before: null, after: null });
  }

  private later(write: () => Promise<void>): void {
    const written = write().catch(this.reportLost).finally(() => this.writing.delete(written));
    this.writing.add(written);
  }
}

function subjectOf(request: FastifyRequest, userId: string): string {
  return `${request.method} ${request.routeOptions.url ?? ''} user:${userId}`;
}
