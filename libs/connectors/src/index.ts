export type { Action, FormField, InputField, Limit, LimitHeaders, Provider, Repeat, Search } from './kit/index.js';
export { factsOf } from './kit/action-facts.js';
export { limitsOf, remainingIn } from './kit/limit.js';
export type { CheckAnswer, Called, ConnectionParts, GrantedTokens, WriteRequest } from './kit/connection.js';
export { Connection } from './kit/connection.js';
export type { Send } from './kit/authorise.js';
export type { Token, TokenAnswer, TokenFailure } from './kit/tokens.js';
export { TokenCache } from './kit/tokens.js';
export type { AuthorizationCode, OAuth2Auth, SignIn } from './kit/auth.js';
export { signInOf, signInSetting } from './kit/auth.js';
export { usableMs } from './kit/authorise.js';
export type { AuthorizationStart, Expected, GrantAnswer, IssuedTokens, SignInParts } from './kit/oauth.js';
export { ForeignInstance, SignInAtProvider } from './kit/oauth.js';
export type { ActionCatalogue, ProviderTemplate } from './catalogue.js';
export { actionCatalogue, catalogueOf } from './catalogue.js';
export { originsOf } from './kit/origins.js';
export { providers } from './registry.js';
/** For providers that are defined outside this package. */
export { clientCredentials, concurrent, defineProvider, get, key, never, oauth2, on, optional, post, put, required, retryAfter, searchFirst, secret, text, upsert, url } from './kit/index.js';
