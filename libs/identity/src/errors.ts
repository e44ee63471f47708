import { defineError } from '@trunkline/contracts';

/** One answer for a missing, malformed, unknown, wrong, revoked or expired key: it tells nobody which keys exist. */
export const Unauthenticated = defineError('identity.unauthenticated', {
  class: 'auth',
  http: 401,
  title: 'The API key is not accepted',
  fix: 'Send `Authorization: Bearer tl_…` with a key of this organisation that is neither revoked nor expired.',
});

/** Not 401: a caller must not throw away a good key because our database is away. */
export const IdentityUnavailable = defineError('identity.unavailable', {
  class: 'unavailable',
  http: 503,
  title: 'The API key cannot be checked just now',
  fix: 'Send the request again in a few seconds; nothing was accepted.',
});

export const ApiKeyMissing = defineError('identity.key_missing', {
  class: 'not-found',
  http: 404,
  title: 'There is no such API key',
  fix: 'List the keys of the organisation and pass the id of one of them.',
});
