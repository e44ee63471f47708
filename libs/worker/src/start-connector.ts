import type { EventLog } from '@trunkline/event-log';
import type { Provider } from '@trunkline/connectors';
import type { Outbound } from '@trunkline/outbound';
import { eventLogSchema, openEventLog, openOutbound, optional, outboundSchema, port, readConfig, recordController, startConsumers, startConsumingService, text, type Config, type ConsumingService } from '@trunkline/service';
import { openDatabases, openVault, type Databases } from '@trunkline/storage';
import { createLogger, createMetrics, meteredEventLog, type Logger, type Metrics } from '@trunkline/telemetry';
import { loadMasterKeys, type MasterKeys } from '@trunkline/vault';
import type { WorkerTuning } from './ports.js';
import { createWorker } from './worker.js';

/** Every variable a connector worker reads; master keys are read by the vault (TRUNKLINE_MASTER_KEYS or TRUNKLINE_MASTER_KEYS_FILE). */
export const connectorSchema = {
  opsHost: optional(text('OPS_HOST', 'address of the operations port'), '127.0.0.1'),
  opsPort: optional(port('OPS_PORT', 'port of /healthz, /readyz and /metrics; 0: any free one'), 0),
  ...eventLogSchema,
  ...outboundSchema,
};

export type ConnectorConfig = Config<typeof connectorSchema>;

export function readConnectorConfig(environment: Readonly<Record<string, string | undefined>> = process.env): ConnectorConfig {
  return readConfig(connectorSchema, environment);
}

/** What a connector app is: a family and its providers, and nothing else. */
export interface ConnectorApp {
  readonly family: string;
  readonly providers: readonly Provider[];
}

/** What a process that runs several services shares between them; what is given stays the giver's to close. */
export interface ConnectorParts {
  readonly databases?: Databases;
  readonly eventLog?: EventLog;
  readonly masterKeys?: MasterKeys;
  readonly logger?: Logger;
  readonly metrics?: Metrics;
  readonly outbound?: Outbound;
  readonly tuning?: Partial<WorkerTuning>;
  readonly workerId?: string;
}

export type RunningConnector = ConsumingService;

/** Starts also while database or broker are away: it waits for them, and `/readyz` names them. */
export async function startConnector({ family, providers }: ConnectorApp, config: ConnectorConfig, parts: ConnectorParts = {}): Promise<RunningConnector> {
  const name = `connector-${family}`;
  const logger = parts.logger ?? createLogger({ app: name });
  const metrics = parts.metrics ?? createMetrics({ processFigures: true });
  const databases = parts.databases ?? openDatabases(config.databaseUrl);
  const vault = openVault(databases, parts.masterKeys ?? loadMasterKeys());
  const eventLog = parts.eventLog ?? meteredEventLog(openEventLog(name, config, { databases, logger }), metrics);
  const outbound = parts.outbound ?? openOutbound(config, logger);
  const worker = createWorker({ family, providers, databases, eventLog, vault, logger, metrics, outbound, ...(parts.tuning && { tuning: parts.tuning }), ...(parts.workerId && { workerId: parts.workerId }) });
  const { group, topics, maxInFlight } = worker;
  return startConsumingService({
    ops: { host: config.opsHost, port: config.opsPort },
    databases,
    eventLog,
    metrics,
    logger,
    prepare: () => worker.start(),
    consume: async () => {
      const consumers = await startConsumers({ eventLog, topics, logger, controllers: [recordController({ group, topics, maxInFlight, orderingKey: (record) => worker.orderingKey(record) }, (record) => worker.handleRecord(record))] });
      const consumption = consumers.strategy.consumption(group);
      if (consumption !== undefined) worker.attach(consumption);
      return consumers;
    },
    finish: (graceMs) => worker.stop(graceMs),
    release: async () => {
      if (parts.outbound === undefined) await outbound.close();
      if (parts.eventLog === undefined) await eventLog.close();
      if (parts.databases === undefined) await databases.close();
    },
  });
}
