export type { Action, FormField, InputField, Limit, LimitHeaders, Provider, Repeat, Search } from './kit/index.js';
export { factsOf } from './kit/action-facts.js';
export { callsOf, remainingIn } from './kit/limit.js';
export type { CheckAnswer, Called, ConnectionParts, WriteRequest } from './kit/connection.js';
export { Connection } from './kit/connection.js';
export type { Send } from './kit/authorise.js';
export { TokenCache } from './kit/tokens.js';
export type { ActionCatalogue, ProviderTemplate } from './catalogue.js';
export { actionCatalogue, catalogueOf } from './catalogue.js';
export { providers } from './registry.js';
/** For providers that are defined outside this package. */
export { clientCredentials, concurrent, defineProvider, get, key, never, on, optional, post, put, required, retryAfter, searchFirst, secret, text, upsert, url } from './kit/index.js';
