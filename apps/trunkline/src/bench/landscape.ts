import { join } from 'node:path';
import { freePort, startPostgres } from '@trunkline/local-services';
import { migrate, openDatabases, type Databases } from '@trunkline/storage';
import { Api } from '../client/api.js';
import { openBroker } from '../dev/broker.js';
import { defaultPorts } from '../dev/ports.js';
import { demoProviders, demoSecrets, demoVault, type DemoSecrets } from '../dev/seed.js';
import { startSimulatorProcess, type RunningSimulator } from '../dev/simulators.js';
import { say } from '../client/output.js';
import { AppProcess } from './app-process.js';
import type { KillTarget } from './scenario.js';
import type { BenchContext } from './session.js';
import type { Vault } from '@trunkline/vault';

/** Everything as an operator runs it: each app a process of its own beside database, broker and providers, which are not killed. */
export interface Landscape {
  readonly databases: Databases;
  readonly simulators: readonly RunningSimulator[];
  readonly vault: Vault;
  readonly api: Api;
  app(name: AppName): AppProcess;
  readonly apps: readonly AppProcess[];
}

export type AppName = Exclude<KillTarget, 'everything'>;
const appFolders: Readonly<Record<AppName, string>> = { gateway: 'gateway', ledger: 'sync-ledger', 'contact-centre': 'connector-contact-centre', erp: 'connector-erp', crm: 'connector-crm' };
const host = '127.0.0.1';

export async function startLandscape(context: BenchContext): Promise<Landscape> {
  const { options, folder, closing } = context;
  say(`Starting database${options.driver === 'kafka' ? ', broker' : ''}, providers and ${Object.keys(appFolders).length} apps, each a process of its own …`);
  const secrets = demoSecrets(folder);
  const server = await startPostgres({ dataDir: join(folder, 'pg') });
  closing.add('database', () => server.stop());
  const brokers = await openBroker(options.driver === 'kafka' ? options.kafka : undefined, folder, closing, () => undefined);
  await migrate(server.url);
  const databases = openDatabases(server.url);
  closing.add('database connections', () => databases.close());
  await context.describe(databases, brokers);
  const simulators = await startSimulators(context, secrets);
  const port = await freePort();
  const apps = await startApps(context, { DATABASE_URL: server.url, KAFKA_BROKERS: brokers?.join(',') ?? '', TRUNKLINE_MASTER_KEYS: secrets.masterKeys, OUTBOUND_ALLOW: `${host}/32`, HOST: host, PORT: String(port) });
  const api = new Api({ url: `http://${host}:${port}`, apiKey: '', organisationId: null }, 128);
  closing.add('gateway connections', () => api.close());
  return { databases, simulators, vault: demoVault(databases, secrets), api, app: (name) => apps[name], apps: Object.values(apps) };
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
async function startApps({ closing }: BenchContext, environment: Readonly<Record<string, string>>): Promise<Readonly<Record<AppName, AppProcess>>> {
  const entries = await Promise.all(Object.entries(appFolders).map(async ([name, app]) => [name, new AppProcess(name, app, environment, await freePort())] as const));
  const apps = Object.fromEntries(entries) as Record<AppName, AppProcess>;
  closing.add('apps', async () => void (await Promise.all(Object.values(apps).map((app) => app.stop()))));
  apps.gateway.start();
  await apps.gateway.untilReady();
  const others = Object.values(apps).filter((app) => app !== apps.gateway);
  for (const app of others) app.start();
  await Promise.all(others.map((app) => app.untilReady()));
  return apps;
}
