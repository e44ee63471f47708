import type { Databases } from '@trunkline/storage';
import { sha256Of } from '../access/secret-token.js';
import { SignInThrottled } from '../errors.js';
import { networkOf } from '../rate/network.js';
import { inAccess } from './in-access.js';

/** A failure counts until so long after the last one. */
const memoryMs = 15 * 60_000;
const firstPauseMs = 5_000;
const longestPauseMs = 15 * 60_000;
/** Failures that cost nothing. An address stands for an office; an account for one person. */
const free = { account: 5, address: 30 } as const;

interface Subject {
  readonly sha256: Buffer;
  readonly free: number;
}

interface Row {
  readonly subject: Buffer;
  readonly failures: number;
  readonly since: Date;
  readonly blocked_until: Date | number;
}

export interface SignInAttempt {
  succeeded(): Promise<void>;
}

/** Slows down guessing, per account and per address, for all gateways together. An account that does not exist is counted like one that does. */
export class SignInThrottle {
  constructor(
    private readonly databases: Pick<Databases, 'access'>,
    private readonly nowMs: () => number,
  ) {}

  /** Counted as failed before the password is looked at, so that guesses at once do not all see the same count; a success takes it back. */
  async begin(email: string, address: string): Promise<SignInAttempt> {
    const account: Subject = { sha256: sha256Of(`account:${email}`), free: free.account };
    const place: Subject = { sha256: sha256Of(`address:${networkOf(address)}`), free: free.address };
    const nowMs = this.nowMs();
    const blockedUntilMs = await inAccess(this.databases, async (client) => {
      // In one order, so that two attempts never wait for each other.
      const subjects = [account, place].sort((one, other) => Buffer.compare(one.sha256, other.sha256));
      await client.query('insert into sign_in_attempts (subject, failures, since) select subject, 0, to_timestamp($2) from unnest($1::bytea[]) as subject on conflict do nothing', [subjects.map(({ sha256 }) => sha256), nowMs / 1_000]);
      const { rows } = await client.query<Row>('select * from sign_in_attempts where subject = any ($1) order by subject for update', [subjects.map(({ sha256 }) => sha256)]);
      const blocked = Math.max(...rows.map((row) => Number(row.blocked_until)));
      if (blocked > nowMs) return blocked;
      for (const row of rows) {
        const failures = (nowMs - row.since.getTime() > memoryMs ? 0 : row.failures) + 1;
        const beyond = failures - (subjects.find(({ sha256 }) => sha256.equals(row.subject))?.free ?? 0);
        const pauseMs = beyond < 1 ? null : Math.min(longestPauseMs, firstPauseMs * 2 ** (beyond - 1));
        await client.query('update sign_in_attempts set failures = $2, since = to_timestamp($3), blocked_until = coalesce(to_timestamp($4), $5::timestamptz) where subject = $1', [row.subject, failures, nowMs / 1_000, pauseMs === null ? null : (nowMs + pauseMs) / 1_000, '-infinity']);
      }
      return null;
    });
    if (blockedUntilMs !== null) {
      const retryAfterSeconds = Math.ceil((blockedUntilMs - nowMs) / 1_000);
      throw SignInThrottled.because(`the next attempt is looked at in ${retryAfterSeconds} s`, { retryAfterSeconds });
    }
    return { succeeded: () => this.forget(account, place) };
  }

  /** Drops what no longer counts. */
  async sweep(): Promise<void> {
    await this.databases.access.query('delete from sign_in_attempts where since < to_timestamp($1)', [(this.nowMs() - memoryMs - longestPauseMs) / 1_000]);
  }

  private async forget(account: Subject, place: Subject): Promise<void> {
    await inAccess(this.databases, async (client) => {
      await client.query('delete from sign_in_attempts where subject = $1', [account.sha256]);
      await client.query(`update sign_in_attempts set failures = greatest(failures - 1, 0), blocked_until = '-infinity' where subject = $1`, [place.sha256]);
    });
  }
}
