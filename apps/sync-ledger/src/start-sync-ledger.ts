import { actionCatalogue } from '@trunkline/connectors';
import type { EventLog } from '@trunkline/event-log';
import { createLedger, StateCounts, type ActionCatalogue, type LedgerSettings } from '@trunkline/ledger';
import { batchController, openEventLog, startConsumers, startConsumingService, type ConsumingService } from '@trunkline/service';
import { openDatabases, type Databases } from '@trunkline/storage';
import { createLogger, createMetrics, meteredEventLog, type Logger, type Metrics } from '@trunkline/telemetry';
import type { SyncLedgerConfig } from './config.js';

/** What a process that runs several services shares between them; what is given stays the giver's to close. */
export interface SyncLedgerParts {
  readonly databases?: Databases;
  readonly eventLog?: EventLog;
  readonly logger?: Logger;
  readonly metrics?: Metrics;
  readonly catalogue?: ActionCatalogue;
  readonly settings?: Partial<LedgerSettings>;
  readonly instance?: string;
}

export type RunningSyncLedger = ConsumingService;

/** Starts also while database or broker are away: it waits for them, and `/readyz` names them. */
export async function startSyncLedger(config: SyncLedgerConfig, parts: SyncLedgerParts = {}): Promise<RunningSyncLedger> {
  const logger = parts.logger ?? createLogger({ app: 'sync-ledger' });
  const metrics = parts.metrics ?? createMetrics({ processFigures: true });
  const databases = parts.databases ?? openDatabases(config.databaseUrl);
  const eventLog = parts.eventLog ?? meteredEventLog(openEventLog('sync-ledger', config, { databases, logger }), metrics);
  const ledger = createLedger({
    databases,
    eventLog,
    catalogue: parts.catalogue ?? actionCatalogue,
    settings: { ...parts.settings, keepRunsDays: config.keepRunsDays, keepCallsDays: config.keepCallsDays },
    onCleared: (cleared) => {
      if (cleared.runs + cleared.expired + cleared.deadLetters > 0) logger.info({ ...cleared }, 'Retention: what is kept no longer was taken away');
    },
    report: (error, act) => logger.warn({ err: error, act }, 'The ledger will try again'),
    ...(parts.instance && { instance: parts.instance }),
  });
  const stateCounts = new StateCounts(databases);
  metrics.onScrape(async () => {
    const { gates, work } = await ledger.measure();
    const counted = await stateCounts.read();
    metrics.closedGates(gates);
    for (const [state, count] of Object.entries(counted.runs)) metrics.runsInState(state, count);
    for (const [state, count] of Object.entries(counted.steps)) metrics.stepsInState(state, count);
    // Fresher than the count, where both know.
    for (const { state, count } of work) metrics.stepsInState(state, count);
  });
  return startConsumingService({
    ops: { host: config.opsHost, port: config.opsPort },
    databases,
    eventLog,
    metrics,
    logger,
    prepare: () => ledger.start(),
    consume: () => startConsumers({ eventLog, topics: ledger.topics, logger, controllers: [batchController({ group: ledger.group, topics: ledger.topics, maxRecords: ledger.maxRecords }, (records) => ledger.handleBatch(records))] }),
    finish: (graceMs) => ledger.stop(graceMs),
    release: async () => {
      if (parts.eventLog === undefined) await eventLog.close();
      if (parts.databases === undefined) await databases.close();
    },
  });
}
