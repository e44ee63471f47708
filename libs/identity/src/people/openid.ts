import { createHmac } from 'node:crypto';
import type { Databases } from '@trunkline/storage';
import * as openid from 'openid-client';
import { newSecretToken, isSame, sha256Of } from '../access/secret-token.js';
import { OpenIdRefused, OpenIdUnavailable } from '../errors.js';
import { type Account, type Accounts, canonicalEmail } from './accounts.js';
import type { Invitation, Invitations } from './invitations.js';

const startedForMs = 10 * 60_000;
const answerWithinSeconds = 5;

/** The operator's provider; tenants cannot set one. */
export interface OpenIdProvider {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** The one algorithm ID tokens are signed with; what a token's own header says decides nothing. */
  readonly algorithm: OpenIdAlgorithm;
}

/** Asymmetric ones only: with HMAC the client could make tokens, and `none` proves nothing. */
export const openIdAlgorithms = ['RS256', 'PS256', 'ES256', 'EdDSA'] as const;
export type OpenIdAlgorithm = (typeof openIdAlgorithms)[number];

export interface OpenIdStart {
  /** Where the browser goes. */
  readonly url: string;
  /** Kept by the browser that started, in a cookie; without it the answer is not taken. */
  readonly browserToken: string;
}

export interface OpenIdArrival {
  readonly account: Account;
  readonly organisationId: string | null;
  readonly returnTo: string;
}

interface AttemptRow {
  readonly browser_sha256: Buffer;
  readonly return_to: string;
  readonly invited_to: string | null;
  readonly invitation: string | null;
  /** Both set by a gateway of the version before, which stores what it made; null otherwise. */
  readonly verifier: string | null;
  readonly nonce: string | null;
}

interface AttemptSecrets {
  readonly verifier: string;
  readonly nonce: string;
}

interface Vouched {
  readonly subject: string;
  readonly email: string;
  readonly name: string;
}

/**
 * Signing in with an OpenID provider: authorization code with PKCE S256 (RFC 9700), state and nonce made here, bound to the browser that started and good once; of neither is more kept than a hash.
 * Nobody gets an account by merely being known to the provider: the first time needs an invitation to an address the provider has confirmed.
 */
export class OpenIdSignIn {
  private configuration: Promise<openid.Configuration> | null = null;

  constructor(
    private readonly provider: OpenIdProvider,
    private readonly databases: Pick<Databases, 'access'>,
    private readonly accounts: Accounts,
    private readonly invitations: Invitations,
    private readonly nowMs: () => number = Date.now,
  ) {}

  async start(wishes: { readonly redirectUri: string; readonly returnTo: string; readonly invitationToken: string | null }): Promise<OpenIdStart> {
    const configuration = await this.discovered();
    const invitation = wishes.invitationToken === null ? null : await this.invitations.look(wishes.invitationToken);
    const [state, browserToken] = [newSecretToken(''), newSecretToken('')];
    const { verifier, nonce } = secretsOf(state, browserToken);
    await this.databases.access.query(
      'insert into openid_attempts (state_sha256, browser_sha256, return_to, invited_to, invitation, expires_at) values ($1, $2, $3, $4, $5, to_timestamp($6))',
      [sha256Of(state), sha256Of(browserToken), wishes.returnTo, invitation?.organisationId ?? null, invitation?.id ?? null, (this.nowMs() + startedForMs) / 1_000],
    );
    const url = openid.buildAuthorizationUrl(configuration, { redirect_uri: wishes.redirectUri, scope: 'openid email profile', state, nonce, code_challenge: await openid.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256' });
    return { url: url.href, browserToken };
  }

  /** `callback` is the address the browser came back to, as we know it: our own origin and path, and the query it brought. */
  async finish(callback: URL, browserToken: string | null): Promise<OpenIdArrival> {
    const state = callback.searchParams.get('state') ?? '';
    const attempt = await this.take(state, browserToken);
    const { verifier, nonce } = attempt;
    const vouched = await this.vouchedFor(callback, state, verifier === null || nonce === null ? secretsOf(state, browserToken ?? '') : { verifier, nonce });
    const known = await this.accounts.byLogin(this.provider.issuer, vouched.subject);
    if (attempt.invited_to === null || attempt.invitation === null) {
      if (known === null) throw OpenIdRefused.because('no account here belongs to it');
      return { account: known, organisationId: null, returnTo: attempt.return_to };
    }
    const { account, invitation } = await this.accept(attempt.invited_to, attempt.invitation, vouched, known);
    return { account, organisationId: invitation.organisationId, returnTo: attempt.return_to };
  }

  async sweep(): Promise<void> {
    await this.databases.access.query('delete from openid_attempts where expires_at < to_timestamp($1)', [this.nowMs() / 1_000]);
  }

  private async accept(organisationId: string, id: string, vouched: Vouched, known: Account | null): Promise<{ account: Account; invitation: Invitation }> {
    if (known !== null && known.email !== canonicalEmail(vouched.email)) throw OpenIdRefused.because('it already belongs to another account');
    const accepted = await this.invitations.acceptVouched(organisationId, id, vouched);
    if (known === null) await this.accounts.link(accepted.account.id, this.provider.issuer, vouched.subject);
    return accepted;
  }

  /** Once: the row is gone before its content is used. */
  private async take(state: string, browserToken: string | null): Promise<AttemptRow> {
    const { rows } = await this.databases.access.query<AttemptRow>('delete from openid_attempts where state_sha256 = $1 and expires_at > to_timestamp($2) returning browser_sha256, return_to, invited_to, invitation, verifier, nonce', [sha256Of(state), this.nowMs() / 1_000]);
    const attempt = rows[0];
    if (attempt === undefined) throw OpenIdRefused.because('it was not started here, took too long or was finished already');
    if (browserToken === null || !isSame(sha256Of(browserToken), attempt.browser_sha256)) throw OpenIdRefused.because('it was started in another browser');
    return attempt;
  }

  /** `iss`, `aud`, `exp`, `nonce`, the signature and its algorithm are checked by the library, from the provider's own metadata; the token endpoint never comes from the callback. */
  private async vouchedFor(callback: URL, state: string, { verifier, nonce }: AttemptSecrets): Promise<Vouched> {
    const configuration = await this.discovered();
    const tokens = await openid.authorizationCodeGrant(configuration, callback, { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier, idTokenExpected: true }).catch((error: unknown) => {
      throw OpenIdRefused.from(error, 'its answer was not accepted');
    });
    const claims = tokens.claims();
    if (claims === undefined) throw OpenIdRefused.because('it sent no ID token');
    const { email, email_verified: isConfirmed, name } = claims;
    if (typeof email !== 'string' || isConfirmed !== true) {
      // Known by subject alone; an address nobody confirmed is worth nothing.
      return { subject: claims.sub, email: '', name: '' };
    }
    return { subject: claims.sub, email, name: typeof name === 'string' && name !== '' ? name.slice(0, 200) : email };
  }

  private discovered(): Promise<openid.Configuration> {
    this.configuration ??= this.discover().catch((error: unknown) => {
      this.configuration = null;
      throw OpenIdUnavailable.from(error, 'reading its configuration');
    });
    return this.configuration;
  }

  private async discover(): Promise<openid.Configuration> {
    const { issuer, clientId, clientSecret, algorithm } = this.provider;
    const server = new URL(issuer);
    // Plain http only on this machine, for development and tests.
    const isLocal = server.protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(server.hostname);
    const execute = [openid.enableNonRepudiationChecks, ...(isLocal ? [openid.allowInsecureRequests] : [])];
    return openid.discovery(server, clientId, { id_token_signed_response_alg: algorithm }, openid.ClientSecretBasic(clientSecret), { execute, timeout: answerWithinSeconds });
  }
}

/** From the browser's token, which it alone holds, and the state: what is stored, hashes of both, gives neither verifier nor nonce. */
function secretsOf(state: string, browserToken: string): AttemptSecrets {
  const derived = (what: string): string => createHmac('sha256', browserToken).update(`${what} ${state}`).digest('base64url');
  return { verifier: derived('verifier'), nonce: derived('nonce') };
}
