import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, startPostgres, type PostgresServer } from '@trunkline/local-services';
import { readJournal } from '@trunkline/simulators';
import { migrate, openDatabases } from '@trunkline/storage';
import { councilProviders, newMasterKeys, seedCouncil, vaultOf } from '../support/council.js';
import { effectsIn, judge } from '../support/effects.js';
import { GatewayClient } from '../support/gateway-client.js';
import { LedgerReader } from '../support/ledger-reader.js';
import { Platform } from '../support/platform.js';
import { NearProvider } from '../support/provider.js';
import { mainOf, ServiceProcess } from '../support/service-process.js';
import { councilEvent } from '../support/service-requests.js';
import { until } from '../support/until.js';
import { tellFigure } from './figures.js';
import { faultSeconds } from './seconds.js';

const lastsSeconds = faultSeconds(0);
jest.setTimeout((lastsSeconds + 900) * 1_000);

/** Orchestrators kill after 30 s. */
const drainWithinMs = 25_000;
const apps = ['gateway', 'sync-ledger', 'connector-contact-centre', 'connector-erp', 'connector-crm'] as const;
/** Calls last so long that every app has some in hand when it is told to stop. */
const latencyMs = 300;
const allInOneLatencyMs = 1_000;
/** Of seven subjects, each of which takes more than half a second per event. */
const mostOpen = 60;

describe('SIGTERM in mid-work', () => {
  describe('to each app in turn', () => {
    const folder = mkdtempSync(join(tmpdir(), 'trunkline-sigterm-'));
    const processes = new Map<string, ServiceProcess>();
    let providers: readonly NearProvider[] = [];
    let database: PostgresServer;
    let client: GatewayClient;

    beforeAll(async () => {
      chmodSync(folder, 0o755);
      database = await startPostgres({ dataDir: join(folder, 'pg') });
      await migrate(database.url);
      providers = await Promise.all(councilProviders.map((name) => NearProvider.start(name, { latencyMs })));
      const masterKeys = newMasterKeys();
      const databases = openDatabases(database.url);
      const council = await seedCouncil({ databases, vault: vaultOf(databases, masterKeys), addresses: Object.fromEntries(providers.map(({ name, url }) => [name, url])) });
      await databases.close();
      const port = await freePort();
      client = new GatewayClient(`http://127.0.0.1:${port}`, council.apiKey);
      for (const app of apps) {
        const opsPort = await freePort();
        const environment = { OUTBOUND_ALLOW: '127.0.0.1', DATABASE_URL: database.url, TRUNKLINE_MASTER_KEYS: masterKeys, PORT: String(port), OPS_PORT: String(opsPort) };
        const started = new ServiceProcess(app, [mainOf(app)], environment, `http://127.0.0.1:${opsPort}/readyz`);
        processes.set(app, started);
        started.start();
      }
      await Promise.all([...processes.values()].map((started) => started.untilReady()));
    });

    afterAll(async () => {
      await Promise.allSettled([...processes.values()].map((started) => started.stop()));
      await Promise.allSettled(providers.map((provider) => provider.remove()));
      await database.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    it('each ends in time with what it has in hand, and nothing is lost or doubled', async () => {
      const accepted = new Set<string>();
      const reader = new LedgerReader(database.url);
      let isOver = false;
      // Without a pause, so that each app is in mid-work when it is told to stop; but no more than is soon worked off: subjects are seven, and each does one thing after the other.
      const publishing = Array.from({ length: 4 }, async (_, publisher) => {
        for (let index = 0; !isOver; index += 1) {
          await until('room for more', async () => isOver || accepted.size - (await reader.count('done')) < mostOpen, 120_000, 100);
          const id = `sigterm-${publisher}-${index}`;
          await client.publishSurely([councilEvent(id, { subject: `place ${index % 7}` })]);
          accepted.add(id);
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
      });
      await until('work in flight', async () => accepted.size - (await reader.count('done')) >= 5);
      const endsAt = performance.now() + lastsSeconds * 1_000;
      const slowest = new Map<string, number>();
      let rounds = 0;
      do {
        for (const [name, running] of processes) {
          const beganAt = performance.now();
          await running.stop(drainWithinMs);
          const tookMs = performance.now() - beganAt;
          slowest.set(name, Math.max(tookMs, slowest.get(name) ?? 0));
          running.start();
          await running.untilReady();
        }
        rounds += 1;
      } while (performance.now() < endsAt);
      isOver = true;
      await Promise.all(publishing);
      await until('all runs done', async () => (await reader.count('done')) === accepted.size, 120_000, 100);

      const journals = await Promise.all(providers.map(async (provider) => effectsIn(provider.name, await provider.journal())));
      const verdict = judge(journals.flat(), { eventIds: [...accepted], providers: councilProviders, planned: await reader.planned(), ordered: 'techone' });
      expect(verdict).toEqual({ effects: 3 * accepted.size, lost: [], doubled: [], outOfOrder: [] });
      // One that is late says so.
      expect([...processes].filter(([, { output }]) => output.includes('Not everything had ended')).map(([name]) => name)).toEqual([]);
      tellFigure(`SIGTERM to each app, ${rounds} round(s) under load, ${accepted.size} events`, `0 lost, 0 doubled; slowest end in ms: ${[...slowest].map(([name, ms]) => `${name} ${Math.round(ms)}`).join(', ')}`);
    });
  });

  describe('to the all-in-one', () => {
    const platform = new Platform();
    afterAll(() => platform.remove());

    it('ends in time in the middle of its work, and a second start finishes it: nothing lost, nothing doubled', async () => {
      platform.start(['--replay', '1']);
      await platform.until(() => platform.output.includes('The platform stays open'), 'the platform', 180_000);
      const dev = JSON.parse(readFileSync(join(platform.folder, 'state', 'dev.json'), 'utf8')) as DevFile;
      // So slow that there are calls under way for as long as it takes to see them.
      for (const { url } of Object.values(dev.simulators)) await askSimulator(url, 'PUT', '/settings', { latencyMs: allInOneLatencyMs });
      const callsInHand = async (): Promise<number> => (await Promise.all(Object.values(dev.simulators).map(async ({ url }) => Number((await askSimulator(url, 'GET', '/stats'))['callsInHand'])))).reduce((sum, calls) => sum + calls, 0);
      const ids = Array.from({ length: 200 }, (_, index) => `all-in-one-${index}`);
      await new GatewayClient(dev.gateway, dev.apiKey).publishSurely(ids.map((id) => councilEvent(id)));
      const effects = async () => (await Promise.all(councilProviders.map(async (name) => effectsIn(name, await readJournal(join(platform.folder, 'state', 'simulators', name)))))).flat().filter(({ eventId }) => eventId.startsWith('all-in-one-'));
      const inHand = await until('effects made and calls under way', async () => {
        const calls = await callsInHand();
        return calls > 0 && (await effects()).length > 0 && calls;
      });
      const beganAt = performance.now();
      platform.signal('SIGTERM');
      expect(await platform.exitStatus(drainWithinMs + 10_000)).toBe(0);
      const tookMs = performance.now() - beganAt;
      expect(tookMs).toBeLessThan(drainWithinMs);
      const before = (await effects()).length;
      expect(before).toBeLessThan(3 * ids.length);

      platform.start(['--replay', '1']);
      await until('all effects', async () => (await effects()).length >= 3 * ids.length, 180_000, 200);
      expect(judge(await effects(), { eventIds: ids, providers: councilProviders })).toEqual({ effects: 3 * ids.length, lost: [], doubled: [], outOfOrder: [] });
      tellFigure(`SIGTERM to the all-in-one, 200 events on their way, ${inHand} calls under way`, `ended after ${Math.round(tookMs)} ms with ${before} of ${3 * ids.length} effects made; the rest after the next start, 0 lost, 0 doubled`);
    });
  });
});

/** What `npm start` writes down of itself. */
interface DevFile {
  readonly gateway: string;
  readonly apiKey: string;
  readonly simulators: Readonly<Record<string, { readonly url: string }>>;
}

async function askSimulator(url: string, method: 'GET' | 'PUT', path: string, body?: unknown): Promise<Readonly<Record<string, unknown>>> {
  const answer = await fetch(`${new URL(url).origin}/_control${path}`, { method, ...(body !== undefined && { body: JSON.stringify(body) }) });
  expect(answer.status).toBe(200);
  return (await answer.json()) as Readonly<Record<string, unknown>>;
}
