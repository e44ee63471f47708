export type { MasterKey, Vault } from './vault.js';
export { createVault } from './vault.js';
export type { MasterKeys } from './master-keys.js';
export { loadMasterKeys, parseMasterKeys } from './master-keys.js';
export { Secret } from './secret.js';
export { MasterKeyUnknown, MasterKeysInvalid, MasterKeysMissing, SealBroken } from './errors.js';
