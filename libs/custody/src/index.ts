export { clearDepartures, rememberedDays } from './departures.js';
export type { OffboardingOptions, OffboardingReport } from './offboard.js';
export { offboard } from './offboard.js';
export { resealOrganisation } from './reseal.js';
export type { CustodyDatabases, RewrapProgress } from './rewrap.js';
export { masterKeysInUse, organisationsWithSecrets, wrapAnew } from './rewrap.js';
export { OrganisationUnknown, StillWritten } from './errors.js';
export type { OffboardingProgress } from './sweep.js';
