import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '@trunkline/local-services';
import { Landscape } from '../processes/landscape.js';
import type { ChaosProvider, Council, Preparation } from './council.js';
import { simulatedProviders } from './council.js';
import type { ChaosOptions } from './options.js';
import { askSimulator } from './simulator-control.js';

/** Where the built apps lie: this project, or a copy of it that was spoiled on purpose. */
export const ownRoot = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', '..');

const latencyMs: Readonly<Record<ChaosProvider, number>> = { genesys: 60, techone: 60, salesforce: 30, rehearsal: 40 };

/** How long the log waits for a silent consumer: as short as the drivers go by default on PostgreSQL, so that work goes on between two kills. */
export const sessionMs = 10_000;

/** What a schedule may aim at, beside `database` and `broker`. */
export const serviceNames = ['gateway', 'ledger 1', 'ledger 2', 'contact-centre worker', 'erp worker', 'crm worker 1', 'crm worker 2', ...simulatedProviders.map((name) => `${name} simulator`)] as const;

/** Everything of a rehearsal, running: each app a process, one database, one broker, four simulated providers, two organisations. */
export class ChaosPlatform {
  private constructor(
    readonly landscape: Landscape,
    readonly councils: readonly Council[],
    readonly gatewayUrl: string,
    readonly simulators: Readonly<Record<ChaosProvider, { readonly url: string; readonly dataDir: string }>>,
  ) {}

  static async start(landscape: Landscape, options: ChaosOptions): Promise<ChaosPlatform> {
    const root = options.appsRoot ?? ownRoot;
    const member = join(root, 'apps', 'trunkline', 'dist', 'chaos', 'member-main.js');
    const [simulators] = await Promise.all([addSimulators(landscape, root, member), landscape.startServers()]);
    const masterKeys = `rehearsal:${randomBytes(32).toString('base64')}`;
    const addresses = Object.fromEntries(simulatedProviders.map((name) => [name, simulators[name].url])) as Record<ChaosProvider, string>;
    const preparing = prepare(member, { databaseUrl: landscape.databaseUrl, masterKeys, addresses, techonePerMinute: options.limits.techonePerMinute, rehearsalPerWindow: options.limits.rehearsalPerWindow });
    const [councils] = await Promise.all([preparing, ...simulatedProviders.map((name) => begin(landscape, `${name} simulator`))]);
    const port = await freePort();
    await startApps(landscape, root, member, {
      DATABASE_URL: landscape.databaseUrl,
      KAFKA_BROKERS: landscape.brokers,
      TRUNKLINE_MASTER_KEYS: masterKeys,
      PORT: String(port),
      KAFKA_SESSION_TIMEOUT_MS: String(sessionMs),
      ...(process.env['KAFKA_CLIENT'] !== undefined && { KAFKA_CLIENT: process.env['KAFKA_CLIENT'] }),
      OUTBOUND_ALLOW: Object.values(addresses).map((url) => new URL(url).host).join(','),
      ...(options.startWithinMs !== undefined && { CHAOS_START_WITHIN_MS: String(options.startWithinMs) }),
    });
    return new ChaosPlatform(landscape, councils, `http://127.0.0.1:${port}`, simulators);
  }

  async control(provider: ChaosProvider, method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<unknown> {
    return askSimulator(this.simulators[provider].url, method, path, body);
  }
}

async function addSimulators(landscape: Landscape, root: string, member: string): Promise<Readonly<Record<ChaosProvider, { readonly url: string; readonly dataDir: string }>>> {
  const made = simulatedProviders.map(async (name) => {
    const [port, dataDir] = [await freePort(), join(landscape.folder, name)];
    mkdirSync(dataDir, { recursive: true });
    const url = `http://127.0.0.1:${port}`;
    const words = name === 'rehearsal' ? [member, 'simulator'] : [join(root, 'libs', 'simulators', 'dist', 'main.js'), name, '--data', dataDir, '--port', String(port), '--limits', 'off', '--search-lag-ms', '200', '--latency-ms', String(latencyMs[name]), '--keep-calls', '--stop-with-parent'];
    const environment: Record<string, string> = name === 'rehearsal' ? { CHAOS_DATA: dataDir, CHAOS_PORT: String(port), CHAOS_LATENCY_MS: String(latencyMs[name]) } : {};
    landscape.add({ name: `${name} simulator`, words, environment, readyUrl: `${url}/_control/clock` });
    return [name, { url, dataDir }] as const;
  });
  return Object.fromEntries(await Promise.all(made)) as Record<ChaosProvider, { url: string; dataDir: string }>;
}

/** In a process of its own, so that a spoiled copy lays down its own tables and policies. */
async function prepare(member: string, preparation: Preparation): Promise<readonly Council[]> {
  const child = spawn(process.execPath, [member, 'prepare'], { env: { ...process.env, CHAOS_PREPARATION: JSON.stringify(preparation) }, stdio: ['ignore', 'pipe', 'pipe'] });
  let [output, errors] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`preparing the organisations: ${errors.slice(-2000)}`);
  return JSON.parse(output) as readonly Council[];
}

async function startApps(landscape: Landscape, root: string, member: string, environment: Readonly<Record<string, string>>): Promise<void> {
  const mainOf = (app: string): string => join(root, 'apps', app, 'dist', 'main.js');
  await landscape.addApp('gateway', [mainOf('gateway')], environment);
  await landscape.addApp('ledger 1', [member, 'ledger'], environment);
  await landscape.addApp('ledger 2', [member, 'ledger'], environment);
  await landscape.addApp('contact-centre worker', [mainOf('connector-contact-centre')], environment);
  await landscape.addApp('erp worker', [mainOf('connector-erp')], environment);
  await landscape.addApp('crm worker 1', [member, 'crm-worker'], environment);
  await landscape.addApp('crm worker 2', [member, 'crm-worker'], environment);
  // The gateway creates the topics that the others read.
  await begin(landscape, 'gateway');
  await Promise.all(landscape.services.filter(({ hasEnded }) => hasEnded).map(({ name }) => begin(landscape, name)));
}

async function begin(landscape: Landscape, name: string): Promise<void> {
  const service = landscape.service(name);
  service.start();
  await service.untilReady(120_000);
}
