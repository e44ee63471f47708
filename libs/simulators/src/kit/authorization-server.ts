import { createHash, randomBytes, randomUUID } from 'node:crypto';
import type { Call, Reply } from './call.js';
import type { SimulatorClock } from './clock.js';
import type { GrantState, LastingState } from './lasting-state.js';
import type { Settings } from './settings.js';
import type { Tokens } from './tokens.js';

/** One call of the token or revocation endpoint. */
export interface TokenCall {
  readonly at: string;
  readonly grantType: string;
  /** `issued`, or the error it was answered with. */
  readonly outcome: string;
  readonly grant?: string;
}

/** Options of a provider where a person signs in; each provider has its own defaults. */
export const signInOptions = {
  /** What the person says: `granted` or `denied`. */
  consent: 'granted',
  refreshTokenRotates: false,
  /** An unused refresh token ends after this long; 0: never. */
  refreshTokenIdleSeconds: 0,
  /** RFC 9207. */
  sendsIssuer: false,
  codeSeconds: 600,
};

type Option = keyof typeof signInOptions;

interface Code {
  readonly grant: string;
  readonly clientId: string;
  readonly redirectUri: string;
  readonly challenge: string | null;
  readonly endsAtMs: number;
  isUsed: boolean;
}

export type Exchanged = { readonly kind: 'issued'; readonly grant: string; readonly refreshToken: string | null } | { readonly kind: 'refused'; readonly error: string; readonly description: string };

const kept = 10_000;

/** The side of a provider where a person says yes (RFC 6749 §4.1, §6, PKCE S256 of RFC 7636): codes are good once, refresh tokens until they are replaced, revoked or idle for too long. */
export class AuthorizationServer {
  readonly calls: TokenCall[] = [];
  private readonly codes = new Map<string, Code>();

  constructor(
    private readonly state: LastingState,
    private readonly tokens: Tokens,
    private readonly clock: SimulatorClock,
    private readonly settings: () => Settings,
  ) {}

  /** Answers like a person who has signed in already and decides at once. */
  authorize(call: Call): Reply {
    const { query } = call;
    const [clientId, redirectUri, state] = [query.get('client_id') ?? '', query.get('redirect_uri') ?? '', query.get('state')];
    if (!this.tokens.knowsClient(clientId) || !URL.canParse(redirectUri)) return page('The client or its callback address is not known.');
    const back = new URL(redirectUri);
    if (state !== null) back.searchParams.set('state', state);
    if (this.option('sendsIssuer') === true) back.searchParams.set('iss', call.origin);
    const method = query.get('code_challenge_method');
    const problem = query.get('response_type') !== 'code' ? 'unsupported_response_type' : method !== null && method !== 'S256' ? 'invalid_request' : this.option('consent') === 'granted' ? null : 'access_denied';
    if (problem !== null) {
      back.searchParams.set('error', problem);
      back.searchParams.set('error_description', problem === 'access_denied' ? 'end-user denied authorization' : 'the request was not understood');
    } else back.searchParams.set('code', this.newCode(clientId, redirectUri, query.get('code_challenge')));
    return { status: 302, headers: { location: back.href }, text: '' };
  }

  /** `authorization_code` and `refresh_token`; null: another grant, which the provider knows itself. */
  exchange(call: Call, clientId: string): Exchanged | null {
    const grantType = call.form.get('grant_type') ?? '';
    if (grantType === 'authorization_code') return this.note(grantType, this.redeem(call, clientId));
    if (grantType === 'refresh_token') return this.note(grantType, this.refresh(call));
    return null;
  }

  noteOther(grantType: string, outcome: string): void {
    this.remember({ at: this.clock.isoNow(), grantType, outcome });
  }

  /** Takes an access or refresh token and ends what a person granted, with all its tokens. */
  end(token: string): boolean {
    const grant = this.grantOfRefresh(token) ?? this.tokens.grantOf(token);
    const known = grant === undefined ? undefined : this.state.now.grants[grant];
    if (grant === undefined || known === undefined || known.isRevoked) return false;
    this.change(grant, { ...known, isRevoked: true });
    this.remember({ at: this.clock.isoNow(), grantType: 'revoke', outcome: 'revoked', grant });
    return true;
  }

  /** Everything that people granted. */
  revokeGrants(): void {
    for (const [grant, known] of Object.entries(this.state.now.grants)) this.change(grant, { ...known, isRevoked: true });
  }

  isLive(grant: string | undefined): boolean {
    return grant === undefined || this.state.now.grants[grant]?.isRevoked === false;
  }

  private newCode(clientId: string, redirectUri: string, challenge: string | null): string {
    const code = randomBytes(24).toString('base64url');
    this.codes.set(code, { grant: randomUUID(), clientId, redirectUri, challenge, endsAtMs: this.clock.now() + Number(this.option('codeSeconds')) * 1_000, isUsed: false });
    return code;
  }

  private redeem({ form }: Call, clientId: string): Exchanged {
    const code = this.codes.get(form.get('code') ?? '');
    if (code === undefined || this.clock.now() >= code.endsAtMs) return refused('invalid_grant', 'invalid authorization code');
    if (code.isUsed) {
      // RFC 6749 §4.1.2: used twice, it may have been stolen.
      const known = this.state.now.grants[code.grant];
      if (known !== undefined) this.change(code.grant, { ...known, isRevoked: true });
      return refused('invalid_grant', 'authorization code already used');
    }
    if (code.clientId !== clientId || code.redirectUri !== form.get('redirect_uri')) return refused('invalid_grant', 'redirect_uri must match');
    const verifier = form.get('code_verifier');
    if (code.challenge !== null && (verifier === null || createHash('sha256').update(verifier).digest('base64url') !== code.challenge)) return refused('invalid_grant', 'invalid code verifier');
    code.isUsed = true;
    this.change(code.grant, { generation: 1, isRevoked: false, usedAtMs: this.clock.now() });
    return { kind: 'issued', grant: code.grant, refreshToken: this.refreshToken(code.grant, 1) };
  }

  private refresh({ form }: Call): Exchanged {
    const token = form.get('refresh_token') ?? '';
    const grant = this.grantOfRefresh(token);
    const known = grant === undefined ? undefined : this.state.now.grants[grant];
    if (grant === undefined || known === undefined || known.isRevoked || token !== this.refreshToken(grant, known.generation)) return refused('invalid_grant', 'expired access/refresh token');
    const idleMs = Number(this.option('refreshTokenIdleSeconds')) * 1_000;
    if (idleMs > 0 && this.clock.now() >= known.usedAtMs + idleMs) return refused('invalid_grant', 'expired access/refresh token');
    const generation = this.option('refreshTokenRotates') === true ? known.generation + 1 : known.generation;
    this.change(grant, { ...known, generation, usedAtMs: this.clock.now() });
    return { kind: 'issued', grant, refreshToken: generation === known.generation ? null : this.refreshToken(grant, generation) };
  }

  private refreshToken(grant: string, generation: number): string {
    const claims = `${grant}.${generation}`;
    return `5Aep.${claims}.${this.tokens.sign(claims)}`;
  }

  private grantOfRefresh(token: string): string | undefined {
    const [, grant = '', generation = ''] = token.split('.');
    return token === this.refreshToken(grant, Number(generation)) ? grant : undefined;
  }

  private change(grant: string, state: GrantState): void {
    this.state.change({ grants: { ...this.state.now.grants, [grant]: state } });
  }

  private note(grantType: string, exchanged: Exchanged): Exchanged {
    this.remember({ at: this.clock.isoNow(), grantType, ...(exchanged.kind === 'issued' ? { outcome: 'issued', grant: exchanged.grant } : { outcome: exchanged.error }) });
    return exchanged;
  }

  private remember(call: TokenCall): void {
    if (this.calls.length >= kept) this.calls.shift();
    this.calls.push(call);
  }

  private option(name: Option): unknown {
    return this.settings().options[name];
  }
}

function refused(error: string, description: string): Exchanged {
  return { kind: 'refused', error, description };
}

function page(text: string): Reply {
  return { status: 400, text: `<html><body>${text}</body></html>`, contentType: 'text/html; charset=UTF-8' };
}
