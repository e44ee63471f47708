import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { LastingState } from './lasting-state.js';

export interface ClientCredentials {
  readonly clientId: string;
  readonly clientSecret: string;
}

interface Claims {
  readonly epoch: number;
  readonly expiresAtMs: number;
  /** What a person granted; undefined: the client's own. */
  readonly grant: string | undefined;
}

const remembered = 10_000;

/** Issues and checks access tokens. They carry their own proof, so a restart does not end them; `expireAll` and `revoke` do. */
export class Tokens {
  private readonly checked = new Map<string, Claims>();
  issued = 0;

  constructor(
    private readonly state: LastingState,
    /** Absent: any non-empty pair is accepted. */
    private readonly accepted: ClientCredentials | undefined,
    private readonly prefix = '',
  ) {}

  accepts(clientId: string, clientSecret: string): boolean {
    if (this.state.now.isRevoked || clientId === '' || clientSecret === '') return false;
    return this.accepted === undefined || (this.accepted.clientId === clientId && this.accepted.clientSecret === clientSecret);
  }

  knowsClient(clientId: string): boolean {
    return clientId !== '' && (this.accepted === undefined || this.accepted.clientId === clientId);
  }

  issue(atMs: number, lifeMs: number, grant = ''): string {
    this.issued += 1;
    const claims = `${this.state.now.tokenEpoch}.${atMs + lifeMs}.${randomBytes(9).toString('base64url')}.${grant}`;
    return `${this.prefix}${Buffer.from(`${claims}.${this.sign(claims)}`).toString('base64url')}`;
  }

  isValid(token: string, atMs: number): boolean {
    const claims = this.checked.get(token) ?? this.check(token);
    return claims !== undefined && !this.state.now.isRevoked && claims.epoch === this.state.now.tokenEpoch && atMs < claims.expiresAtMs && (claims.grant === undefined || this.state.now.grants[claims.grant]?.isRevoked === false);
  }

  grantOf(token: string): string | undefined {
    return (this.checked.get(token) ?? this.check(token))?.grant;
  }

  expireAll(): void {
    this.state.change({ tokenEpoch: this.state.now.tokenEpoch + 1 });
  }

  revoke(): void {
    this.state.change({ isRevoked: true, tokenEpoch: this.state.now.tokenEpoch + 1 });
  }

  restore(): void {
    this.state.change({ isRevoked: false });
  }

  get isRevoked(): boolean {
    return this.state.now.isRevoked;
  }

  private check(token: string): Claims | undefined {
    if (!token.startsWith(this.prefix)) return undefined;
    const [epoch, expiresAtMs, random, grant = '', signature] = Buffer.from(token.slice(this.prefix.length), 'base64url').toString().split('.');
    if (signature === undefined || !isEqual(signature, this.sign(`${epoch}.${expiresAtMs}.${random}.${grant}`))) return undefined;
    const claims = { epoch: Number(epoch), expiresAtMs: Number(expiresAtMs), grant: grant === '' ? undefined : grant };
    if (this.checked.size >= remembered) this.checked.clear();
    this.checked.set(token, claims);
    return claims;
  }

  sign(claims: string): string {
    return createHmac('sha256', this.state.now.tokenKey).update(claims).digest('base64url');
  }
}

function isEqual(left: string, right: string): boolean {
  return left.length === right.length && timingSafeEqual(Buffer.from(left), Buffer.from(right));
}
