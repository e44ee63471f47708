import type { Deadline, Exchange, OutboundRequest } from '@trunkline/outbound';
import * as openid from 'openid-client';
import type { AuthorizationCode, OAuth2Auth } from './auth.js';
import { failureOf, type Send, tokenEndpointOf } from './authorise.js';
import { Concealment } from './concealment.js';
import { SettingsIncomplete } from './errors.js';
import { withDefaults } from './form.js';
import type { Provider } from './provider.js';
import { baseAddress } from './request.js';
import { read, renderText, type Scope, TemplateGap } from './template.js';
import type { TokenFailure } from './tokens.js';
import { judge } from './verdict.js';

/** What a token endpoint answered. */
export interface IssuedTokens {
  /** The whole answer, as it came. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly accessToken: string;
  /** Null: the one before stays. */
  readonly refreshToken: string | null;
  /** Null: until the provider refuses it. */
  readonly lifeMs: number | null;
}

export type GrantAnswer =
  | { readonly kind: 'tokens'; readonly tokens: IssuedTokens }
  /** `isGrantDead`: nothing but the person can help (RFC 6749 §5.2, invalid_grant). `mayHaveActed`: an answer may have been lost, and a refresh token with it. */
  | { readonly kind: 'none'; readonly failure: TokenFailure; readonly isGrantDead: boolean; readonly mayHaveActed: boolean };

export interface SignInParts {
  readonly provider: Provider;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly credentials: Readonly<Record<string, unknown>>;
  readonly send: Send;
  readonly nowMs: () => number;
}

/** What the client that began this knows, and its callback does not. */
export interface Expected {
  readonly state: string;
  readonly verifier: string;
}

export interface AuthorizationStart extends Expected {
  readonly url: URL;
}

/**
 * The conversation with a provider's authorization server, by its definition and on our own way out. Protocol and validation are openid-client's;
 * every endpoint comes from the definition and the stored settings, never from an answer.
 */
export class SignInAtProvider {
  private readonly auth: OAuth2Auth;
  private readonly code: AuthorizationCode;
  private readonly scope: Scope;

  constructor(private readonly parts: SignInParts) {
    const { auth } = parts.provider;
    if (auth.kind !== 'oauth2' || auth.authorizationCode === null) throw new Error(`nobody signs in at ${parts.provider.id}`);
    this.auth = auth;
    this.code = auth.authorizationCode;
    this.scope = { settings: withDefaults(parts.provider.settings, parts.settings), credentials: parts.credentials };
  }

  /** PKCE S256 always (RFC 7636, RFC 9700 §2.1.1); state and verifier are made here and stay here. */
  async begin(redirectUri: string, state: string): Promise<AuthorizationStart> {
    const verifier = openid.randomPKCECodeVerifier();
    const url = openid.buildAuthorizationUrl(this.configuration().configuration, {
      ...this.code.parameters,
      redirect_uri: redirectUri,
      scope: this.code.scopes.join(' '),
      state,
      code_challenge: await openid.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    });
    if (!['https:', 'http:'].includes(url.protocol) || url.username !== '' || url.password !== '') throw SettingsIncomplete.because('the address of the sign-in is not a plain https address');
    return { url, state, verifier };
  }

  /** The address the browser came back to: `redirectUri` as it was sent, and the query it brought. Throws what openid-client thinks of a callback that is not an answer to ours. */
  async finish(redirectUri: string, query: URLSearchParams, expected: Expected, deadline: Deadline): Promise<GrantAnswer> {
    const callback = new URL(redirectUri);
    callback.search = query.toString();
    return this.ask(deadline, [expected.verifier, query.get('code') ?? ''], (configuration) => openid.authorizationCodeGrant(configuration, callback, { expectedState: expected.state, pkceCodeVerifier: expected.verifier }));
  }

  async refresh(refreshToken: string, deadline: Deadline): Promise<GrantAnswer> {
    return this.ask(deadline, [refreshToken], (configuration) => openid.refreshTokenGrant(configuration, refreshToken));
  }

  /** False: the provider has none, or did not say that it has. */
  async revoke(token: string, deadline: Deadline): Promise<boolean> {
    if (this.code.revoke === null) return false;
    const { configuration } = this.configuration(deadline);
    return openid.tokenRevocation(configuration, token).then(() => true, () => false);
  }

  /** Where tokens and secrets go by the settings as they are now: what was granted under others is not for these. */
  places(): readonly string[] {
    const api = this.parts.provider.baseUrl.filter((template) => !template.includes('{granted.'));
    return [baseAddress(this.auth.token, this.scope).href, baseAddress(api, this.scope).origin];
  }

  /** The address that the answer names for its tokens; null: the provider names none. Throws where it is none of the provider's (S13). */
  instanceUrlIn(fields: Readonly<Record<string, unknown>>): string | null {
    const { instance } = this.code;
    if (instance === null) return null;
    const named = read(fields, instance.field);
    if (named === undefined || named === null) return null;
    const url = typeof named === 'string' && URL.canParse(named) ? new URL(named) : null;
    const isOurs = url !== null && url.username === '' && url.password === '' && (url.origin === baseAddress(this.auth.token, this.scope).origin || isAmong(url, instance.hosts));
    if (!isOurs || url === null) throw new ForeignInstance(instance.field);
    return url.origin;
  }

  /** `secrets`: what is sent, and must not come back in a message (P10). */
  private async ask(deadline: Deadline, secrets: readonly string[], grant: (configuration: openid.Configuration) => Promise<openid.TokenEndpointResponse>): Promise<GrantAnswer> {
    const { configuration, last } = this.configuration(deadline);
    const startedMs = performance.now();
    try {
      const fields = { ...(await grant(configuration)) };
      return { kind: 'tokens', tokens: this.issued(fields, performance.now() - startedMs) };
    } catch (error) {
      const exchange = last();
      // Nothing was asked: what is wrong is the callback.
      if (exchange === null) throw error;
      const verdict = judge(tokenEndpointOf(this.parts.provider), exchange, this.parts.nowMs());
      if (verdict.kind === 'good' || verdict.kind === 'unreadable') return { kind: 'none', failure: { class: 'transient', code: 'auth.no_token', message: 'the token endpoint answered without tokens' }, isGrantDead: false, mayHaveActed: true };
      const concealment = new Concealment(this.parts.credentials);
      for (const secret of secrets) concealment.hide(secret);
      const failure = concealment.apply(failureOf(verdict));
      return { kind: 'none', failure, isGrantDead: failure.code === 'auth.invalid_grant', mayHaveActed: verdict.kind === 'lost' ? verdict.reached : verdict.status >= 500 };
    }
  }

  private issued(fields: Readonly<Record<string, unknown>>, tookMs: number): IssuedTokens {
    const seconds = Number(fields['expires_in']);
    const lifeMs = Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : this.auth.lifeWithoutExpiryMs;
    const { refresh_token: refreshToken } = fields;
    return { fields, accessToken: String(fields['access_token']), refreshToken: typeof refreshToken === 'string' && refreshToken !== '' ? refreshToken : null, lifeMs: lifeMs === null ? null : Math.max(0, lifeMs - tookMs) };
  }

  private configuration(deadline?: Deadline): { readonly configuration: openid.Configuration; readonly last: () => Exchange | null } {
    let last: Exchange | null = null;
    const send: Send = async (request) => (last = await this.parts.send(request));
    const authorize = baseAddress(this.code.authorize, this.scope);
    const server: openid.ServerMetadata = {
      issuer: authorize.origin,
      authorization_endpoint: authorize.href,
      token_endpoint: baseAddress(this.auth.token, this.scope).href,
      ...(this.code.revoke === null ? {} : { revocation_endpoint: baseAddress(this.code.revoke, this.scope).href }),
      authorization_response_iss_parameter_supported: this.code.sendsIssuer,
    };
    const configuration = new openid.Configuration(server, this.text('client_id'), undefined, this.clientAuth());
    // Which schemes may be used is the outbound policy's to say.
    openid.allowInsecureRequests(configuration);
    configuration[openid.customFetch] = deadline === undefined ? nobodyAsks : fetchOver(send, deadline);
    return { configuration, last: () => last };
  }

  /** Basic as the vendors' own clients send it: openid-client's encodes `-` and `.` (RFC 6749 §2.3.1 to the letter), which not every token endpoint undoes. */
  private clientAuth(): openid.ClientAuth {
    const secret = this.text('client_secret');
    if (this.auth.client === 'form') return openid.ClientSecretPost(secret);
    return (_server, client, _body, headers) => headers.set('authorization', `Basic ${Buffer.from(`${client.client_id}:${secret}`).toString('base64')}`);
  }

  private text(name: string): string {
    try {
      return renderText(`{credentials.${name}}`, this.scope);
    } catch (error) {
      if (error instanceof TemplateGap) throw SettingsIncomplete.from(error, error.message);
      throw error;
    }
  }
}

/** The provider says that its tokens are good at a place that is not the provider's. */
export class ForeignInstance extends Error {
  override readonly name = 'ForeignInstance';
  constructor(readonly field: string) {
    super(`the answer's ${field} is no address of the provider`);
  }
}

function isAmong({ protocol, hostname, port }: URL, hosts: readonly string[]): boolean {
  return protocol === 'https:' && port === '' && hosts.some((host) => hostname === host || hostname.endsWith(`.${host}`));
}

/** Making an address is no reason to call anybody. */
const nobodyAsks: openid.CustomFetch = () => Promise.reject(new TypeError('no call was meant to be made'));

/** openid-client speaks fetch; this is our client with that face. */
function fetchOver(send: Send, deadline: Deadline): openid.CustomFetch {
  return async (url, options) => {
    const body = options.body === undefined || options.body === null ? null : Buffer.from(String(options.body));
    const exchange = await send({ method: options.method as OutboundRequest['method'], url: new URL(url), headers: options.headers, body, deadline });
    if (exchange.kind === 'failed') throw new TypeError(exchange.detail);
    const isBare = [204, 205, 304].includes(exchange.status) || exchange.status < 200;
    return new Response(isBare ? null : new Uint8Array(exchange.body), { status: exchange.status < 200 ? 502 : exchange.status, headers: exchange.headers });
  };
}
