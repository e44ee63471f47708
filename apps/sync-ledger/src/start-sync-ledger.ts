import { actionCatalogue } from '@trunkline/connectors';
import type { EventLog } from '@trunkline/event-log';
import { createLedger, type ActionCatalogue, type LedgerSettings } from '@trunkline/ledger';
import { batchController, openEventLog, startConsumers, startOps, type Dependency, type RunningService } from '@trunkline/service';
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

export interface RunningSyncLedger extends RunningService {
  readonly opsUrl: string;
}

export async function startSyncLedger(config: SyncLedgerConfig, parts: SyncLedgerParts = {}): Promise<RunningSyncLedger> {
  const logger = parts.logger ?? createLogger({ app: 'sync-ledger' });
  const metrics = parts.metrics ?? createMetrics({ processFigures: true });
  const databases = parts.databases ?? openDatabases(config.databaseUrl);
  const eventLog = parts.eventLog ?? meteredEventLog(openEventLog('sync-ledger', config, { databases, logger }), metrics);
  const release = async (): Promise<void> => {
    if (parts.eventLog === undefined) await eventLog.close();
    if (parts.databases === undefined) await databases.close();
  };
  const ledger = createLedger({
    databases,
    eventLog,
    catalogue: parts.catalogue ?? actionCatalogue,
    settings: { ...parts.settings, keepRunsDays: config.keepRunsDays, keepCallsDays: config.keepCallsDays },
    report: (error, act) => logger.warn({ err: error, act }, 'The ledger will try again'),
    ...(parts.instance && { instance: parts.instance }),
  });
  metrics.onScrape(async () => {
    const { gates, work } = await ledger.measure();
    for (const { provider, reason, count } of gates) metrics.gatesClosed(provider, reason, count);
    for (const { state, count } of work) metrics.stepsInState(state, count);
  });
  try {
    await ledger.start();
    const consumers = await startConsumers({ eventLog, topics: ledger.topics, logger, controllers: [batchController({ group: ledger.group, topics: ledger.topics, maxRecords: ledger.maxRecords }, (records) => ledger.handleBatch(records))] });
    const ops = await startOps({ host: config.opsHost, port: config.opsPort, dependencies: [databaseOf(databases), ...consumers.strategy.dependencies()], metrics }).catch(async (error: unknown) => {
      await consumers.stop(0);
      throw error;
    });
    return {
      opsUrl: ops.url,
      stop: async (graceMs) => {
        const endMs = performance.now() + graceMs;
        ops.drain();
        await consumers.stop(graceMs);
        await ledger.stop(Math.max(0, endMs - performance.now()));
        await release();
        await ops.close();
      },
    };
  } catch (error) {
    await ledger.stop(0);
    await release();
    throw error;
  }
}

function databaseOf(databases: Databases): Dependency {
  return {
    name: 'database',
    check: async () => {
      await databases.system.query('select 1');
      return null;
    },
  };
}
