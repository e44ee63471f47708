import { eventLogSchema, integer, optional, port, readConfig, text, type Config } from '@trunkline/service';

/** Every variable the ledger reads. */
export const syncLedgerSchema = {
  opsHost: optional(text('OPS_HOST', 'address of the operations port'), '127.0.0.1'),
  opsPort: optional(port('OPS_PORT', 'port of /healthz, /readyz and /metrics; 0: any free one'), 0),
  ...eventLogSchema,
  keepRunsDays: optional(integer('KEEP_RUNS_DAYS', 'how long ended runs are kept; a repeated event is known as one for no longer', { min: 30, max: 3_650 }), 30),
  keepCallsDays: optional(integer('KEEP_CALLS_DAYS', 'how long the single calls are kept', { min: 1, max: 3_650 }), 14),
};

export type SyncLedgerConfig = Config<typeof syncLedgerSchema>;

export function readSyncLedgerConfig(environment: Readonly<Record<string, string | undefined>> = process.env): SyncLedgerConfig {
  return readConfig(syncLedgerSchema, environment);
}
