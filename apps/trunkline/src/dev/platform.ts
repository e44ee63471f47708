import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { startConnector as startContactCentre } from '@trunkline/app-connector-contact-centre';
import { startConnector as startCrm } from '@trunkline/app-connector-crm';
import { startConnector as startErp } from '@trunkline/app-connector-erp';
import { startGateway } from '@trunkline/app-gateway';
import { startSyncLedger } from '@trunkline/app-sync-ledger';
import { topics } from '@trunkline/contracts';
import { openEventLog } from '@trunkline/service';
import { parseMasterKeys } from '@trunkline/vault';
import { parseAllowedPlace } from '@trunkline/outbound';
import { migrate, openDatabases, type Databases } from '@trunkline/storage';
import { createLogger, createMetrics, meteredEventLog } from '@trunkline/telemetry';
import type { DevFile } from '../client/target.js';
import { openBroker } from './broker.js';
import { openDatabase } from './database.js';
import type { Closing } from './closing.js';
import type { DevOptions } from './options.js';
import { defaultPorts, onFreePort } from './ports.js';
import { demoOrganisation, demoProviders, demoSecrets, seedDemo, type DemoSecrets } from './seed.js';
import { startSimulatorProcess, type RunningSimulator } from './simulators.js';

export interface RunningPlatform {
  readonly folder: string;
  readonly dev: DevFile;
  readonly databases: Databases;
  readonly simulators: readonly RunningSimulator[];
  readonly notes: readonly string[];
  /** Null: the event log is in PostgreSQL. */
  readonly brokers: readonly string[] | null;
  /** Ledger and workers, when they were not started at once; to be called once. */
  startConsumers(): Promise<void>;
}

type Say = (line: string) => void;

/** What each service gets to finish what it has in hand, once asked to stop. */
const graceMs = 20_000;

/** Starts everything in the order of need; `closing` stops it in the opposite one. */
export async function startPlatform(options: DevOptions, folder: string, closing: Closing, onProgress: Say): Promise<RunningPlatform> {
  const secrets = demoSecrets(folder);
  const [databaseUrl, brokers] = await Promise.all([openDatabase(folder, closing, onProgress), openBroker(options.kafka, folder, closing, onProgress)]);
  await migrate(databaseUrl);
  const databases = openDatabases(databaseUrl);
  closing.add('database connections', () => databases.close());
  const isReplay = options.replay !== undefined || options.bench !== undefined;
  const simulators = await startSimulators(secrets, folder, { limits: isReplay ? 'off' : 'vendor', latencyMs: options.bench?.latencyMs }, closing, onProgress);
  const { apiKey, owner } = await seedDemo({ databases, folder, secrets, simulators, withoutLimits: isReplay, isOrdered: options.ordering === 'subject' });
  const gateway = await startServices({ options, folder, databaseUrl, brokers, databases, secrets, simulators, closing, onProgress });
  const dev: DevFile = {
    gateway: gateway.url,
    organisationId: demoOrganisation.id,
    apiKey,
    owner,
    simulators: Object.fromEntries(simulators.map(({ provider, url, clientId, clientSecret }) => [provider, { url, clientId, clientSecret }])),
    databaseUrl,
  };
  const notes = [
    brokers === null ? 'Event log: in PostgreSQL.' : `Event log: Apache Kafka at ${brokers.join(', ')}.`,
    isReplay ? 'Replay: the providers\' limits are lifted, on their side and on ours.' : 'The providers answer under their vendors\' limits.',
    `Health and metrics: ${gateway.opsUrl} (/healthz, /readyz, /metrics). Log: ${join(folder, 'trunkline.log')}`,
  ];
  return { folder, dev, databases, simulators, notes, brokers, startConsumers: gateway.startConsumers };
}

async function startSimulators(secrets: DemoSecrets, folder: string, { limits, latencyMs }: { readonly limits: string; readonly latencyMs: number | undefined }, closing: Closing, onProgress: Say): Promise<readonly RunningSimulator[]> {
  return Promise.all(
    demoProviders.map(async (provider) => {
      const simulator = await startSimulatorProcess({ provider, port: defaultPorts[provider], limits, ...(latencyMs === undefined ? {} : { latencyMs }), ...secrets.simulators[provider] }, join(folder, 'simulators'), onProgress);
      closing.add(`${provider} simulator`, () => simulator.stop());
      return simulator;
    }),
  );
}

interface ServiceWishes {
  readonly options: DevOptions;
  readonly folder: string;
  readonly databaseUrl: string;
  readonly brokers: readonly string[] | null;
  readonly databases: Databases;
  readonly secrets: DemoSecrets;
  /** Beside the public internet, the only places that integrations may lead to. */
  readonly simulators: readonly RunningSimulator[];
  readonly closing: Closing;
  readonly onProgress: Say;
}

/** Ledger and workers first: the gateway opens when somebody reads what it accepts. */
async function startServices({ options, folder, databaseUrl, brokers, databases, secrets, simulators, closing, onProgress }: ServiceWishes): Promise<{ url: string; opsUrl: string; startConsumers(): Promise<void> }> {
  const logFile = createWriteStream(join(folder, 'trunkline.log'), { flags: 'a', mode: 0o600 });
  closing.add('log file', () => new Promise<void>((done) => logFile.end(done)));
  const logger = createLogger({ app: 'trunkline', destination: logFile });
  const metrics = createMetrics({ processFigures: true });
  const eventLog = meteredEventLog(openEventLog('dev', { databaseUrl, kafkaBrokers: brokers ?? [] }, { databases, logger }), metrics);
  closing.add('event log', () => eventLog.close());
  await eventLog.ensureTopics(topics);

  const host = '127.0.0.1';
  const shared = { databases, eventLog, logger, metrics };
  const addresses = { databaseUrl, kafkaBrokers: brokers ?? [], opsHost: host, opsPort: 0, outboundAllow: (options.bench === undefined ? simulators.map(({ url }) => new URL(url).host) : [`${host}/32`]).map(parseAllowedPlace), outboundPorts: [443] };
  const masterKeys = parseMasterKeys(secrets.masterKeys);
  const startConsumers = async (): Promise<void> => {
    const ledger = await startSyncLedger({ ...addresses, keepRunsDays: 30, keepCallsDays: 14 }, shared);
    closing.add('sync-ledger', () => ledger.stop(graceMs));
    for (const [name, start] of [['connector-contact-centre', startContactCentre], ['connector-erp', startErp], ['connector-crm', startCrm]] as const) {
      const connector = await start(addresses, { ...shared, masterKeys });
      closing.add(name, () => connector.stop(graceMs));
    }
  };
  if (options.bench?.consumers !== 'later') await startConsumers();
  const gateway = await onFreePort(options.port, 90, async (port) => {
    if (port !== options.port) onProgress(`Port ${options.port} is taken; the gateway uses ${port}.`);
    return onFreePort(defaultPorts.operations, 8, (opsPort) => startGateway({ ...addresses, host, port, opsPort, answerWithinMs: 2_000 }, { ...shared, masterKeys }));
  });
  closing.add('gateway', () => gateway.close());
  return { url: gateway.url, opsUrl: gateway.opsUrl, startConsumers };
}
