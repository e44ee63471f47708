export type { Caller, Identity, IdentityOptions, NewApiKey } from './identity.js';
export { createIdentity } from './identity.js';
export { ApiKeyMissing, IdentityUnavailable, Unauthenticated } from './errors.js';
