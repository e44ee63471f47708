/** How a provider gives out access tokens (OAuth 2.0): to the application itself, in the name of a person who signed in there, or either. */
export interface OAuth2Auth {
  readonly kind: 'oauth2';
  /** Templates over the settings; the first that has all its values is the token URL. */
  readonly token: readonly string[];
  /** RFC 6749 §2.3.1: how the client shows who it is. */
  readonly client: 'basic' | 'form';
  /** The authorization header, as a template over `{token}`; where tenants differ, one template for each value of a setting. */
  readonly header: string | { readonly setting: string; readonly templates: Readonly<Record<string, string>> };
  /** Life of a token whose answer has no `expires_in`; null: until the provider refuses it. */
  readonly lifeWithoutExpiryMs: number | null;
  /** RFC 6749 §4.4. */
  readonly clientCredentials: boolean;
  /** RFC 6749 §4.1. */
  readonly authorizationCode: AuthorizationCode | null;
}

/** What is to be known about a provider where a person signs in and grants us access. */
export interface AuthorizationCode {
  /** Templates over the settings: where the person is sent. Its origin is the issuer (RFC 9207 §2). */
  readonly authorize: readonly string[];
  /** RFC 7009; null: the provider has no way to give a grant back. */
  readonly revoke: readonly string[] | null;
  readonly scopes: readonly string[];
  /** What this provider wants to be asked besides. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** RFC 9207: an answer without `iss` is not the provider's. A wrong `iss` never is. */
  readonly sendsIssuer: boolean;
  /** Where the token answer says at which address the tokens are good, and the hosts it may name. */
  readonly instance: { readonly field: string; readonly hosts: readonly string[] } | null;
  /** Whether a refresh ends the refresh token it was made with; `by-setting`: as the customer's administrator says there. */
  readonly refreshTokenRotates: 'always' | 'never' | 'by-setting';
  /** An unused refresh token may end; it is used at least this often. */
  readonly keepAliveMs: number;
  /** What grounds all this, and its date. */
  readonly source: string;
}

export interface NoAuth {
  readonly kind: 'none';
}

export type Auth = OAuth2Auth | NoAuth;

type Words = Pick<OAuth2Auth, 'token' | 'client'> & Partial<Pick<OAuth2Auth, 'header' | 'lifeWithoutExpiryMs'>>;

export function clientCredentials(words: Words): OAuth2Auth {
  return oauth2({ ...words, clientCredentials: true, authorizationCode: null });
}

export function oauth2({ header = 'Bearer {token}', lifeWithoutExpiryMs = null, ...rest }: Words & Pick<OAuth2Auth, 'clientCredentials' | 'authorizationCode'>): OAuth2Auth {
  return { kind: 'oauth2', header, lifeWithoutExpiryMs, ...rest };
}

export type SignIn = 'client_credentials' | 'authorization_code';

/** The setting by which an administrator chooses, where a provider has both. */
export const signInSetting = 'sign_in';

/** Null: the provider wants no token at all. */
export function signInOf({ auth }: { readonly auth: Auth }, settings: Readonly<Record<string, unknown>>): SignIn | null {
  if (auth.kind === 'none') return null;
  if (auth.authorizationCode === null) return 'client_credentials';
  return auth.clientCredentials && settings[signInSetting] !== 'authorization_code' ? 'client_credentials' : 'authorization_code';
}
