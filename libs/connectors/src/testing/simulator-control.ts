/** One effect as a simulator's journal tells it. */
export interface JournaledEffect {
  readonly kind: 'created' | 'updated' | 'deleted';
  readonly recordType: string;
  readonly recordId: string;
  readonly effectReference?: string;
  readonly body: unknown;
}

export interface FaultWish {
  readonly match: { readonly method?: string; readonly path?: string };
  readonly status?: number;
  readonly applied?: boolean;
  readonly retryAfter?: string;
  readonly latencyMs?: number;
  readonly commitAfterMs?: number;
  readonly reset?: 'before' | 'after';
  readonly malformed?: boolean;
  readonly body?: unknown;
  readonly html?: string | true;
  readonly times?: number;
}

/** The `/_control` side that every simulator has. */
export class SimulatorControl {
  constructor(readonly url: string) {}

  async fault(fault: FaultWish): Promise<void> {
    await this.ask('POST', 'faults', fault);
  }

  async clear(): Promise<void> {
    await this.ask('DELETE', 'faults');
    await this.ask('POST', 'restore');
  }

  async expireTokens(): Promise<void> {
    await this.ask('POST', 'expire-tokens');
  }

  async revoke(): Promise<void> {
    await this.ask('POST', 'revoke');
  }

  async advance(advanceMs: number): Promise<void> {
    await this.ask('POST', 'clock', { advanceMs });
  }

  async tokensIssued(): Promise<number> {
    return ((await this.ask('GET', 'stats')) as { readonly tokensIssued: number }).tokensIssued;
  }

  /** Ends what people granted by signing in. */
  async revokeGrants(): Promise<void> {
    await this.ask('POST', 'revoke-grants');
  }

  /** The fixture's own: as if a person had signed in. */
  async grant(): Promise<Readonly<Record<string, unknown>>> {
    return (await this.ask('POST', 'grants')) as Readonly<Record<string, unknown>>;
  }

  /** The fixture's own: a refresh ends no refresh token any more. */
  async keepRefreshTokens(): Promise<void> {
    await this.ask('POST', 'keep-refresh-tokens');
  }

  async refreshes(): Promise<number> {
    return ((await this.ask('GET', 'stats')) as { readonly refreshes: number }).refreshes;
  }

  /** What the calls since then came to, newest last. */
  async callCount(): Promise<number> {
    return ((await this.ask('GET', 'calls?limit=1')) as { readonly total: number }).total;
  }

  async effects(): Promise<readonly JournaledEffect[]> {
    return ((await this.ask('GET', 'journal')) as { readonly entries: readonly JournaledEffect[] }).entries;
  }

  /** Effects that carry this reference. */
  async effectsOf(reference: string): Promise<readonly JournaledEffect[]> {
    return (await this.effects()).filter((effect) => effect.effectReference === reference);
  }

  private async ask(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`${this.url}/_control/${path}`, { method, ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }) });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} /_control/${path} answered ${response.status}: ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }
}
