export type { SyncLedgerConfig } from './config.js';
export { readSyncLedgerConfig, syncLedgerSchema } from './config.js';
export type { RunningSyncLedger, SyncLedgerParts } from './start-sync-ledger.js';
export { startSyncLedger } from './start-sync-ledger.js';
