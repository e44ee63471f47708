import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, startPostgres, type PostgresServer } from '@trunkline/local-services';
import { migrate, openDatabases, type Databases } from '@trunkline/storage';
import { Api } from '../client/api.js';
import { openBroker } from '../dev/broker.js';
import { defaultPorts } from '../dev/ports.js';
import { demoProviders, demoSecrets, demoVault, type DemoSecrets } from '../dev/seed.js';
import { startSimulatorProcess, type RunningSimulator } from '../dev/simulators.js';
import { BenchNotStarted } from '../client/failure.js';
import { ServiceProcess } from '../processes/service-process.js';
import { say } from '../client/output.js';
import type { KillTarget } from './scenario.js';
import type { BenchContext } from './session.js';
import type { Vault } from '@trunkline/vault';

/** Everything as an operator runs it: each app a process of its own beside database, broker and providers, which are not killed. */
export interface Landscape {
  readonly databases: Databases;
  readonly simulators: readonly RunningSimulator[];
  readonly vault: Vault;
  readonly api: Api;
  app(name: AppName): ServiceProcess;
  readonly apps: readonly ServiceProcess[];
}

export type AppName = Exclude<KillTarget, 'everything'>;
const appFolders: Readonly<Record<AppName, string>> = { gateway: 'gateway', ledger: 'sync-ledger', 'contact-centre': 'connector-contact-centre', erp: 'connector-erp', crm: 'connector-crm' };
const host = '127.0.0.1';
const readyWithinMs = 120_000;

export async function startLandscape(context: BenchContext): Promise<Landscape> {
  const { options, folder, closing } = context;
  say(`Starting database${options.driver === 'kafka' ? ', broker' : ''}, providers and ${Object.keys(appFolders).length} apps, each a process of its own …`);
  const secrets = demoSecrets(folder);
  const server = await closing.starting(() => startDatabase(context));
  const brokers = await closing.starting(() => openBroker(options.driver === 'kafka' ? options.kafka : undefined, folder, closing, () => undefined));
  await migrate(server.url);
  const databases = openDatabases(server.url);
  closing.add('database connections', () => databases.close());
  await context.describe(databases, brokers);
  const simulators = await closing.starting(() => startSimulators(context, secrets));
  const port = await freePort();
  const apps = await startApps(context, { DATABASE_URL: server.url, KAFKA_BROKERS: brokers?.join(',') ?? '', TRUNKLINE_MASTER_KEYS: secrets.masterKeys, OUTBOUND_ALLOW: `${host}/32`, HOST: host, PORT: String(port) });
  const api = new Api({ url: `http://${host}:${port}`, apiKey: '', organisationId: null }, 128);
  closing.add('gateway connections', () => api.close());
  return { databases, simulators, vault: demoVault(databases, secrets), api, app: (name) => apps[name], apps: Object.values(apps) };
}

async function startDatabase({ folder, closing }: BenchContext): Promise<PostgresServer> {
  const server = await startPostgres({ dataDir: join(folder, 'pg') });
  closing.add('database', () => server.stop());
  return server;
}

async function startSimulators({ options, folder, closing }: BenchContext, secrets: DemoSecrets): Promise<readonly RunningSimulator[]> {
  return Promise.all(
    demoProviders.map(async (provider) => {
      const simulator = await startSimulatorProcess({ provider, port: defaultPorts[provider], limits: 'off', latencyMs: options.latencyMs, ...secrets.simulators[provider] }, join(folder, 'simulators'), () => undefined);
      closing.add(`${provider} simulator`, () => simulator.stop());
      return simulator;
    }),
  );
}

/** The gateway first: it creates the topics that the others read. */
async function startApps({ closing }: BenchContext, environment: Readonly<Record<string, string>>): Promise<Readonly<Record<AppName, ServiceProcess>>> {
  const entries = await Promise.all(Object.entries(appFolders).map(async ([name, app]) => [name, appProcess(name, app, environment, await freePort())] as const));
  const apps = Object.fromEntries(entries) as Record<AppName, ServiceProcess>;
  closing.add('apps', async () => void (await Promise.all(Object.values(apps).map((app) => app.stop(30_000)))));
  apps.gateway.start();
  await untilReady([apps.gateway]);
  const others = Object.values(apps).filter((app) => app !== apps.gateway);
  for (const app of others) app.start();
  await untilReady(others);
  return apps;
}

/** Until each says that it serves. Errors: `command.bench_not_started`, with what the app said last. */
export async function untilReady(apps: readonly ServiceProcess[]): Promise<void> {
  try {
    await Promise.all(apps.map((app) => app.untilReady(readyWithinMs)));
  } catch (error) {
    throw BenchNotStarted.from(error, error instanceof Error ? error.message : String(error));
  }
}

function appProcess(name: string, app: string, environment: Readonly<Record<string, string>>, opsPort: number): ServiceProcess {
  const main = fileURLToPath(new URL(`../../../${app}/dist/main.js`, import.meta.url));
  return new ServiceProcess({ name, words: [main], environment: { ...environment, ...brokerClient(name), OPS_PORT: String(opsPort) }, readyUrl: `http://${host}:${opsPort}/readyz` });
}

/** How to talk to the broker is chosen for the whole call of `bench`; a static member has the same name after each restart. */
function brokerClient(name: string): Readonly<Record<string, string>> {
  const chosen = Object.fromEntries(['KAFKA_CLIENT', 'KAFKA_SESSION_TIMEOUT_MS'].flatMap((key): [string, string][] => (process.env[key] === undefined ? [] : [[key, process.env[key]]])));
  return chosen['KAFKA_CLIENT'] === 'platformatic' ? { ...chosen, KAFKA_INSTANCE_ID: name.replaceAll(/[^\w.-]/g, '-') } : chosen;
}
