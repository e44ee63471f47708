/** How the suite reaches a provider's simulator and what it may write there. */
export interface ConnectorUnderTest {
  /** Starts the provider's simulator, without limits and search lag. */
  readonly simulator: () => Promise<{ readonly url: string; stop(): Promise<unknown> }>;
  readonly settings: (url: string) => Readonly<Record<string, unknown>>;
  readonly credentials?: Readonly<Record<string, unknown>>;
  /** A good input for each action, and a part of its write's path that no other call has. */
  readonly actions: Readonly<Record<string, { readonly input: Readonly<Record<string, unknown>>; readonly writePath: string }>>;
  /** The set-up document; absent for providers made for tests. */
  readonly setup?: string;
}
