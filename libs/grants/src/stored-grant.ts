import { randomUUID } from 'node:crypto';
import { type GrantAnswer, type GrantedTokens, SignInAtProvider, type SignInParts, type Token, type TokenAnswer, type TokenFailure, usableMs } from '@trunkline/connectors';
import { TrunklineError } from '@trunkline/contracts';
import { failpoint } from '@trunkline/failpoints';
import { startDeadline } from '@trunkline/outbound';
import { type Databases, isDatabaseAway, placeOfGrant } from '@trunkline/storage';
import type { Vault } from '@trunkline/vault';
import { type Claim, type GrantRow, GrantRows } from './grant-rows.js';
import { type GrantTokens, merged, textIn } from './tokens.js';

export interface GrantTuning {
  /** How long one process may be at a refresh before another takes over. More than the two below together. */
  readonly leaseMs: number;
  /** How long the token endpoint may take. */
  readonly endpointMs: number;
  /** How long tokens that the provider has issued are tried to be stored while the database is away. */
  readonly storeMs: number;
  /** How often those who wait look. */
  readonly pollMs: number;
  /** After a refresh that brought nothing. */
  readonly restMs: number;
}

export const usualGrantTuning: GrantTuning = { leaseMs: 60_000, endpointMs: 20_000, storeMs: 30_000, pollMs: 150, restMs: 1_000 };

export interface StoredGrantParts extends SignInParts {
  readonly databases: Pick<Databases, 'system'>;
  readonly vault: Pick<Vault, 'seal' | 'open'>;
  readonly organisationId: string;
  readonly integrationId: string;
  readonly tuning?: Partial<GrantTuning>;
}

/**
 * The tokens of one integration whose person signed in. All processes share what is stored; one of them at a time refreshes it, outside any transaction,
 * and stores the answer before anybody uses it. Those who wait read again and do not call.
 */
export class StoredGrant implements GrantedTokens {
  private readonly rows: GrantRows;
  private readonly tuning: GrantTuning;

  constructor(private readonly parts: StoredGrantParts) {
    this.rows = new GrantRows(parts.databases, parts.organisationId, parts.integrationId);
    this.tuning = { ...usualGrantTuning, ...parts.tuning };
  }

  async obtain(refused: Token | null): Promise<TokenAnswer> {
    try {
      return await this.current((row) => isNewer(row, refused) && !isOld(row), (row) => isNewer(row, refused) && (row.leftMs === null || row.leftMs > 0));
    } catch (error) {
      if (isDatabaseAway(error)) return none({ class: 'transient', code: 'auth.database_away', message: 'the stored tokens cannot be read at the moment' });
      // Its seal does not open: the organisation has left, or the row was tampered with.
      if (error instanceof TrunklineError && error.code.startsWith('vault.')) return none({ class: 'auth', code: error.code, message: error.definition.title });
      throw error;
    }
  }

  /** Uses the refresh token once a day, whether there is work or not. */
  keepAlive(): Promise<TokenAnswer> {
    return this.current((row) => !row.isKeepAliveDue, () => true);
  }

  /** `isGood`: needs no refresh. `isUsable`: will do while somebody else refreshes. */
  private async current(isGood: (row: GrantRow) => boolean, isUsable: (row: GrantRow) => boolean): Promise<TokenAnswer> {
    const endMs = performance.now() + this.tuning.leaseMs + this.tuning.endpointMs;
    for (;;) {
      const row = await this.rows.read();
      if (row === null || row.state !== 'connected' || row.tokens === null) return none(notConnected(row));
      if (isGood(row)) return this.tokenOf(row, false);
      const claim = row.lease === 'free' ? await this.rows.claim(row.version, randomUUID(), this.tuning.leaseMs) : null;
      if (claim !== null) {
        const answer = await this.refresh(row, claim);
        if (answer !== null) return answer;
      } else if (isUsable(row) && row.lease !== 'free') return this.tokenOf(row, false);
      else if (row.lease === 'resting') return none({ class: 'transient', code: 'auth.resting', message: 'the provider gave no new token a moment ago' });
      if (performance.now() > endMs) return none({ class: 'transient', code: 'auth.slow', message: 'somebody else has been refreshing the token for too long' });
      if (claim === null) await pause(this.tuning.pollMs * (0.5 + Math.random()));
    }
  }

  /** Null: something newer is stored, or somebody else is at it. */
  private async refresh(row: GrantRow, claim: Claim): Promise<TokenAnswer | null> {
    const giveBack = (): Promise<void> => this.rows.rest(claim.holder, this.tuning.restMs, claim.unfinished > 0);
    const { before, isForHere } = await this.openHere(row).catch(async (error: unknown) => {
      await giveBack();
      throw error;
    });
    if (!isForHere) {
      await giveBack();
      return none(notConnected({ state: 'connected', reason: 'address_changed' }));
    }
    const refreshToken = textIn(before, 'refresh_token');
    if (refreshToken === null) return this.park(row, claim, 'no_refresh_token');
    // Two before have died over it. Where each refresh may end the token it is made with, a third would only hide that.
    if (claim.unfinished > 1 && this.code.refreshTokenRotates !== 'never') return this.park(row, claim, 'refresh_unfinished');
    const signIn = new SignInAtProvider(this.parts);
    const answer = await signIn.refresh(refreshToken, startDeadline(this.tuning.endpointMs));
    if (answer.kind === 'none') return this.failed(row, claim, answer);
    failpoint('oauth.afterRefreshBeforeStore');
    const after = merged(before, answer.tokens, this.instanceIn(signIn, answer.tokens.fields));
    // Not used before it is stored: a token that only this process knows dies with it.
    if (!(await this.storeSurely(row, after, answer.tokens.lifeMs))) return null;
    const stored = await this.rows.read();
    return stored === null || stored.version !== row.version + 1 || stored.state !== 'connected' ? null : this.tokenOf(stored, true);
  }

  private async failed(row: GrantRow, claim: Claim, { failure, isGrantDead, mayHaveActed }: Extract<GrantAnswer, { kind: 'none' }>): Promise<TokenAnswer | null> {
    if (!isGrantDead) {
      await this.rows.rest(claim.holder, failure.class === 'throttled' ? failure.waitMs : this.tuning.restMs, mayHaveActed || claim.unfinished > 0);
      return none(failure);
    }
    // Whoever was at it before this process may have used the token up, and be about to store what came of it.
    if (claim.unfinished > 0) await pause(this.tuning.restMs);
    const now = await this.rows.read();
    if (now !== null && now.version !== row.version) return null;
    return this.park(row, claim, claim.unfinished > 0 ? 'refresh_lost' : 'grant_ended');
  }

  private async park(row: GrantRow, claim: Claim, reason: string): Promise<TokenAnswer | null> {
    const isParked = await this.rows.park(row.version, claim.holder, reason);
    return isParked ? none(notConnected({ state: 'reconnect', reason })) : null;
  }

  private async storeSurely(row: GrantRow, after: GrantTokens, lifeMs: number | null): Promise<boolean> {
    const { organisationId, integrationId, vault } = this.parts;
    const endMs = performance.now() + this.tuning.storeMs;
    for (let waitMs = 50; ; waitMs = Math.min(2 * waitMs, 2_000)) {
      try {
        const sealed = await vault.seal(JSON.stringify(after), placeOfGrant(organisationId, integrationId));
        return await this.rows.store(row.version, { sealed, lifeMs, keepAliveMs: this.code.keepAliveMs });
      } catch (error) {
        if (!isDatabaseAway(error) || performance.now() > endMs) throw error;
        await pause(waitMs);
      }
    }
  }

  /** A refresh that names a foreign place changes nothing about where the tokens go. */
  private instanceIn(signIn: SignInAtProvider, fields: Readonly<Record<string, unknown>>): string | null {
    try {
      return signIn.instanceUrlIn(fields);
    } catch {
      // The place that was checked when the person signed in stays.
      return null;
    }
  }

  private async tokenOf(row: GrantRow, isFresh: boolean): Promise<TokenAnswer> {
    const tokens = await this.open(row);
    if (!this.isForHere(tokens)) return none(notConnected({ state: 'connected', reason: 'address_changed' }));
    const value = textIn(tokens, 'access_token');
    if (value === null) return none(notConnected(row));
    // Looked at again soon where somebody else is refreshing it.
    const leftMs = row.leftMs === null ? null : isOld(row) ? 1_000 : row.leftMs - marginMs(row);
    return { kind: 'token', token: { value, expiresAtMs: leftMs === null ? null : performance.now() + leftMs, version: row.version, instanceUrl: tokens.instanceUrl }, isFresh };
  }

  private async open({ tokens }: GrantRow): Promise<GrantTokens> {
    const { organisationId, integrationId, vault } = this.parts;
    const opened = await vault.open(tokens ?? Buffer.alloc(0), placeOfGrant(organisationId, integrationId));
    return JSON.parse(opened.toString('utf8')) as GrantTokens;
  }

  /** Errors: a seal that does not open, settings that make no address any more; nothing was asked of the provider then. */
  private async openHere(row: GrantRow): Promise<{ readonly before: GrantTokens; readonly isForHere: boolean }> {
    const before = await this.open(row);
    return { before, isForHere: this.isForHere(before) };
  }

  /** Whoever may change the settings must not get the tokens by that. */
  private isForHere({ places }: GrantTokens): boolean {
    const now = new SignInAtProvider(this.parts).places();
    return now.length === places.length && now.every((place, index) => place === places[index]);
  }

  private get code() {
    const { auth } = this.parts.provider;
    if (auth.kind !== 'oauth2' || auth.authorizationCode === null) throw new Error(`nobody signs in at ${this.parts.provider.id}`);
    return auth.authorizationCode;
  }
}

function isNewer({ version }: GrantRow, refused: Token | null): boolean {
  return refused === null || version > (refused.version ?? 0);
}

function marginMs({ lifeMs }: GrantRow): number {
  return lifeMs === null ? 0 : lifeMs - usableMs(lifeMs);
}

/** Close enough to its end to be refreshed. */
function isOld(row: GrantRow): boolean {
  return row.leftMs !== null && row.leftMs <= marginMs(row);
}

const reasons: Readonly<Record<string, string>> = {
  grant_ended: 'the provider says that the grant has ended; somebody has to sign in again',
  refresh_lost: 'the provider has replaced the refresh token, and its answer was lost on the way here; somebody has to sign in again',
  refresh_unfinished: 'two processes ended while they refreshed the token; somebody has to sign in again',
  address_changed: 'the settings name another address than the one at which somebody signed in; somebody has to sign in there',
  no_refresh_token: 'the provider gave no refresh token; somebody has to sign in again, with the scope that gives one',
  disconnected: 'the integration was disconnected',
};

function notConnected(row: Pick<GrantRow, 'state' | 'reason'> | null): TokenFailure {
  const reason = row?.reason ?? 'not_connected';
  return { class: 'auth', code: `auth.${reason}`, message: reasons[reason] ?? 'nobody has signed in at the provider for this integration' };
}

function none(failure: TokenFailure): TokenAnswer {
  return { kind: 'none', failure };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
