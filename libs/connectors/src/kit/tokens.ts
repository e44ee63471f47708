import { failpoint } from '@trunkline/failpoints';

/** An access token; never logged, never stored. */
export interface Token {
  readonly value: string;
  /** Monotonic ms; null: until the provider refuses it. */
  readonly expiresAtMs: number | null;
}

export type TokenAnswer = { readonly kind: 'token'; readonly token: Token } | { readonly kind: 'none'; readonly failure: TokenFailure };

export type TokenFailure =
  | { readonly class: 'auth'; readonly code: string; readonly message: string }
  | { readonly class: 'throttled'; readonly waitMs: number; readonly code: string; readonly message: string }
  | { readonly class: 'transient'; readonly code: string; readonly message: string };

/** Access tokens of this process, one fetch at a time for each connection. */
export class TokenCache {
  private readonly tokens = new Map<string, Token>();
  private readonly fetching = new Map<string, Promise<TokenAnswer>>();

  constructor(private readonly monotonicMs: () => number = () => performance.now()) {}

  /** `isFresh`: fetched for this caller or while it waited, so that asking for another makes no sense. */
  async get(connection: string, fetch: () => Promise<TokenAnswer>): Promise<TokenAnswer & { readonly isFresh: boolean }> {
    const held = this.tokens.get(connection);
    if (held !== undefined && (held.expiresAtMs === null || held.expiresAtMs > this.monotonicMs())) return { kind: 'token', token: held, isFresh: false };
    const running = this.fetching.get(connection) ?? this.start(connection, fetch);
    return { ...(await running), isFresh: true };
  }

  /** The provider refused this token. A newer one, fetched meanwhile, stays. */
  drop(connection: string, token: Token): void {
    if (this.tokens.get(connection) === token) this.tokens.delete(connection);
  }

  forget(connectionPrefix: string): void {
    for (const connection of this.tokens.keys()) if (connection.startsWith(connectionPrefix)) this.tokens.delete(connection);
  }

  private start(connection: string, fetch: () => Promise<TokenAnswer>): Promise<TokenAnswer> {
    const running = fetch()
      .then((answer) => {
        if (answer.kind === 'token') {
          failpoint('worker.afterToken');
          this.tokens.set(connection, answer.token);
        }
        return answer;
      })
      .finally(() => this.fetching.delete(connection));
    this.fetching.set(connection, running);
    return running;
  }
}
