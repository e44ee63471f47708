import { failpoint } from '@trunkline/failpoints';

/** An access token; never logged. One of client credentials is never stored. */
export interface Token {
  readonly value: string;
  /** Monotonic ms; null: until the provider refuses it. */
  readonly expiresAtMs: number | null;
  /** Counts what was stored for this connection; only tokens that a person granted are. */
  readonly version?: number;
  /** Where it is good, if the provider said so. */
  readonly instanceUrl?: string | null;
}

/** `isFresh`: issued just now, so that asking for another makes no sense; true where nothing else is said. */
export type TokenAnswer = { readonly kind: 'token'; readonly token: Token; readonly isFresh?: boolean } | { readonly kind: 'none'; readonly failure: TokenFailure };

export type TokenFailure =
  | { readonly class: 'auth'; readonly code: string; readonly message: string }
  | { readonly class: 'throttled'; readonly waitMs: number; readonly code: string; readonly message: string }
  | { readonly class: 'transient'; readonly code: string; readonly message: string };

/** Access tokens of this process, one fetch at a time for each connection. */
export class TokenCache {
  private readonly tokens = new Map<string, Token>();
  private readonly fetching = new Map<string, Promise<TokenAnswer>>();
  /** The last one that the provider refused, until another comes. */
  private readonly refused = new Map<string, Token>();

  constructor(private readonly monotonicMs: () => number = () => performance.now()) {}

  /** `isFresh`: fetched for this caller or while it waited, so that asking for another makes no sense. */
  async get(connection: string, fetch: (refused: Token | null) => Promise<TokenAnswer>): Promise<TokenAnswer & { readonly isFresh: boolean }> {
    const held = this.tokens.get(connection);
    if (held !== undefined && (held.expiresAtMs === null || held.expiresAtMs > this.monotonicMs())) return { kind: 'token', token: held, isFresh: false };
    const running = this.fetching.get(connection) ?? this.start(connection, fetch);
    const answer = await running;
    return answer.kind === 'none' ? { ...answer, isFresh: true } : { ...answer, isFresh: answer.isFresh ?? true };
  }

  /** The provider refused this token. A newer one, fetched meanwhile, stays. */
  drop(connection: string, token: Token): void {
    if (this.tokens.get(connection) !== token) return;
    this.tokens.delete(connection);
    this.refused.set(connection, token);
  }

  forget(connectionPrefix: string): void {
    for (const known of [this.tokens, this.refused]) for (const connection of known.keys()) if (connection.startsWith(connectionPrefix)) known.delete(connection);
  }

  private start(connection: string, fetch: (refused: Token | null) => Promise<TokenAnswer>): Promise<TokenAnswer> {
    const running = fetch(this.refused.get(connection) ?? null)
      .then((answer) => {
        if (answer.kind === 'token') {
          failpoint('worker.afterToken');
          this.refused.delete(connection);
          this.tokens.set(connection, answer.token);
        }
        return answer;
      })
      .finally(() => this.fetching.delete(connection));
    this.fetching.set(connection, running);
    return running;
  }
}
