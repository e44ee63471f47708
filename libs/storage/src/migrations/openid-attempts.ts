import type { Migration } from '../migration.js';

/** Verifier and nonce follow from what the browser alone holds, and are not stored. The columns stay for gateways of the version before, which write them; what they wrote is used until it expires. */
export const openIdAttempts: Migration = {
  name: 'openid-attempts-without-secrets',
  timestamp: 1_763_701_100_000,
  statements: ['alter table openid_attempts alter column verifier drop not null, alter column nonce drop not null'],
};
