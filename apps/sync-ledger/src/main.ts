import { runService } from '@trunkline/service';
import { readSyncLedgerConfig } from './config.js';
import { startSyncLedger } from './start-sync-ledger.js';

await runService(() => startSyncLedger(readSyncLedgerConfig()));
