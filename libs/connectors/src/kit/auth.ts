/** OAuth 2.0 client credentials (RFC 6749 §4.4). */
export interface ClientCredentialsAuth {
  readonly kind: 'oauth2-client-credentials';
  /** Templates over the settings; the first that has all its values is the token URL. */
  readonly token: readonly string[];
  /** RFC 6749 §2.3.1: how the client shows who it is. */
  readonly client: 'basic' | 'form';
  /** The authorization header, as a template over `{token}`; where tenants differ, one template for each value of a setting. */
  readonly header: string | { readonly setting: string; readonly templates: Readonly<Record<string, string>> };
  /** Life of a token whose answer has no `expires_in`; null: until the provider refuses it. */
  readonly lifeWithoutExpiryMs: number | null;
}

export interface NoAuth {
  readonly kind: 'none';
}

export type Auth = ClientCredentialsAuth | NoAuth;

export function clientCredentials(rest: { readonly token: readonly string[]; readonly client: 'basic' | 'form'; readonly header?: ClientCredentialsAuth['header']; readonly lifeWithoutExpiryMs?: number | null }): ClientCredentialsAuth {
  return { kind: 'oauth2-client-credentials', token: rest.token, client: rest.client, header: rest.header ?? 'Bearer {token}', lifeWithoutExpiryMs: rest.lifeWithoutExpiryMs ?? null };
}
