import type { Databases } from '@trunkline/storage';
import { Accounts } from './accounts.js';
import { Invitations } from './invitations.js';
import { Members } from './members.js';
import { Passwords } from './password.js';
import { Sessions } from './sessions.js';
import { Setup } from './setup.js';
import { SignInThrottle } from './sign-in-throttle.js';

/** People and how they come in, over one database. */
export interface People {
  readonly setup: Setup;
  readonly accounts: Accounts;
  readonly sessions: Sessions;
  readonly invitations: Invitations;
  readonly members: Members;
  /** Drops what has ended: sessions, failed sign-ins. */
  sweep(): Promise<void>;
}

export interface PeopleOptions {
  readonly databases: Pick<Databases, 'access' | 'system'>;
  readonly nowMs?: () => number;
}

export function createPeople({ databases, nowMs = Date.now }: PeopleOptions): People {
  const passwords = new Passwords();
  const throttle = new SignInThrottle(databases, nowMs);
  const accounts = new Accounts(databases, passwords, throttle);
  const sessions = new Sessions(databases, nowMs);
  return {
    setup: new Setup(databases, passwords, nowMs),
    accounts,
    sessions,
    invitations: new Invitations(databases, accounts, nowMs),
    members: new Members(databases),
    sweep: async () => {
      await sessions.sweep();
      await throttle.sweep();
    },
  };
}
