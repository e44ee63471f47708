import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeWithLocalKafka, freePort, startKafka, startPostgres, type LocalKafka, type PostgresServer } from '@trunkline/local-services';
import { migrate, openDatabases } from '@trunkline/storage';
import { councilProviders, newMasterKeys, seedCouncil, vaultOf, type Council } from '../support/council.js';
import { effectsIn, judge } from '../support/effects.js';
import { GatewayClient } from '../support/gateway-client.js';
import { LedgerReader } from '../support/ledger-reader.js';
import { FarProvider } from '../support/provider.js';
import { mainOf, ServiceProcess } from '../support/service-process.js';
import { serviceRequests } from '../support/service-requests.js';
import { until } from '../support/until.js';

jest.setTimeout(240_000);

const eventCount = 200;
const inFlightWished = 50;

/** Everything as an operator runs it: each app `node dist/main.js` with its environment, one broker, one database, three providers. All may be killed, so nothing here is shared with other suites. */
class Landscape {
  readonly folder = mkdtempSync(join(tmpdir(), 'trunkline-processes-'));
  private readonly apps = new Map<string, ServiceProcess>();
  readonly providers: readonly FarProvider[];
  database: PostgresServer | undefined;
  broker: LocalKafka | undefined;
  council: Council | undefined;

  private constructor(private readonly ports: { readonly database: number; readonly broker: number; readonly gateway: number }, providers: readonly FarProvider[]) {
    chmodSync(this.folder, 0o755);
    this.providers = providers;
  }

  static async prepare(): Promise<Landscape> {
    const [database, broker, gateway] = [await freePort(), await freePort(), await freePort()];
    const providers = [new FarProvider('genesys', await freePort(), { latencyMs: 250 }), new FarProvider('techone', await freePort(), { latencyMs: 200 }), new FarProvider('salesforce', await freePort(), { latencyMs: 100 })];
    return new Landscape({ database, broker, gateway }, providers);
  }

  async start(): Promise<void> {
    await Promise.all([this.startDatabase(), this.startBroker(), ...this.providers.map(({ process: running }) => this.run(running))]);
    await this.startApps();
  }

  async startDatabase(): Promise<void> {
    this.database = await startPostgres({ dataDir: join(this.folder, 'pg'), port: this.ports.database });
  }

  async startBroker(): Promise<void> {
    this.broker = await startKafka({ dataDir: join(this.folder, 'kafka'), port: this.ports.broker });
  }

  get databaseUrl(): string {
    return this.database?.url ?? '';
  }

  get reader(): LedgerReader {
    return new LedgerReader(this.databaseUrl);
  }

  get gateway(): GatewayClient {
    return new GatewayClient(`http://127.0.0.1:${this.ports.gateway}`, this.council?.apiKey ?? '');
  }

  provider(name: string): FarProvider {
    const found = this.providers.find((provider) => provider.name === name);
    if (found === undefined) throw new Error(`no provider ${name}`);
    return found;
  }

  app(name: string): ServiceProcess {
    const found = this.apps.get(name);
    if (found === undefined) throw new Error(`no app ${name}`);
    return found;
  }

  private async startApps(): Promise<void> {
    const masterKeys = newMasterKeys();
    await migrate(this.databaseUrl);
    const databases = openDatabases(this.databaseUrl);
    // Two calls at once and two per run make Genesys the slowest: about four runs a second, so that there is work for every kill.
    this.council = await seedCouncil({ databases, vault: vaultOf(databases, masterKeys), addresses: Object.fromEntries(this.providers.map(({ name, url }) => [name, url])), settings: { genesys: { limit_concurrent: 2 }, techone: { limit_concurrent: 3 } } });
    await databases.close();
    const environment = { DATABASE_URL: this.databaseUrl, KAFKA_BROKERS: this.broker?.brokers.join(',') ?? '', TRUNKLINE_MASTER_KEYS: masterKeys, PORT: String(this.ports.gateway) };
    const members = [['gateway', 'gateway'], ['ledger 1', 'sync-ledger'], ['ledger 2', 'sync-ledger'], ['contact-centre worker', 'connector-contact-centre'], ['erp worker 1', 'connector-erp'], ['erp worker 2', 'connector-erp'], ['crm worker', 'connector-crm']] as const;
    for (const [name, app] of members) {
      const opsPort = await freePort();
      this.apps.set(name, new ServiceProcess(name, [mainOf(app)], { ...environment, OPS_PORT: String(opsPort) }, `http://127.0.0.1:${opsPort}/readyz`));
    }
    // The gateway creates the topics that the others read.
    await this.run(this.app('gateway'));
    await Promise.all([...this.apps.values()].filter(({ name }) => name !== 'gateway').map((app) => this.run(app)));
  }

  private async run(service: ServiceProcess): Promise<void> {
    service.start();
    await service.untilReady();
  }

  everyProcess(): readonly ServiceProcess[] {
    return [...this.apps.values(), ...this.providers.map((provider) => provider.process)];
  }

  /** Where everything stands and what each process said last: the first thing to read when something went wrong. */
  async lastWords(): Promise<string> {
    const standing = await this.reader
      .query(`select (select json_agg(g) from gates g) as gates, (select json_agg(s) from (select step->>'id' as step, step->>'state' as state, step->>'reason' as reason, count(*) from runs, json_array_elements(steps::json) step group by 1, 2, 3 order by 1, 2) s) as steps, (select json_agg(d) from (select kind, integration_id, count(*), min(due_at) from due_work group by 1, 2) d) as due, clock_timestamp() as now`)
      .catch(String);
    return `${JSON.stringify(standing, null, 1)}\n${this.words()}`;
  }

  private words(): string {
    return this.everyProcess().map(({ name, output }) => `--- ${name}\n${output.slice(-1500)}`).join('\n');
  }

  async end(): Promise<void> {
    await Promise.allSettled([...this.apps.values()].map((app) => app.stop()));
    await Promise.allSettled(this.providers.map((provider) => provider.remove()));
    await Promise.allSettled([this.broker?.stop(), this.database?.stop()]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Kills one process after another while events are on their way, and remembers how many runs were in flight each time. */
class Killer {
  readonly inFlight: Record<string, number> = {};
  /** Event ids that have been answered with 202. */
  readonly accepted = new Map<string, string>();
  private readonly beganAt = performance.now();

  constructor(private readonly landscape: Landscape) {}

  async kill(name: string): Promise<void> {
    await this.count(name);
    const app = this.landscape.app(name);
    await app.kill();
    app.start();
  }

  /** Its predecessor's session in the group must end first, which takes half a minute; several may wait for that together. */
  async untilBack(...names: readonly string[]): Promise<void> {
    await Promise.all(names.map((name) => this.landscape.app(name).untilListening()));
  }

  /** In the middle of a call, of which the provider has made the effect or not. */
  async killProvider(name: string): Promise<void> {
    await this.untilBusy(name);
    await this.count(`${name} simulator`);
    const { process: running } = this.landscape.provider(name);
    await running.kill();
    running.start();
    await running.untilReady();
  }

  async killDatabase(): Promise<void> {
    await this.count('database');
    await this.landscape.database?.kill();
    await this.landscape.startDatabase();
  }

  async killBroker(): Promise<void> {
    await this.count('broker');
    await this.landscape.broker?.kill();
    await this.landscape.startBroker();
  }

  async untilBusy(provider: string): Promise<void> {
    await until(`a call at ${provider}`, async () => (await this.landscape.provider(provider).callsInHand()) > 0, 40_000, 5);
  }

  private async count(name: string): Promise<void> {
    const unfinished = this.accepted.size - (await this.landscape.reader.count('done'));
    this.inFlight[name] = unfinished;
    process.stderr.write(`${((performance.now() - this.beganAt) / 1000).toFixed(1)} s: killing ${name} with ${unfinished} runs in flight\n`);
  }
}

describeWithLocalKafka('every app as its own process, on Kafka and PostgreSQL', () => {
  let landscape: Landscape | undefined;

  afterAll(() => landscape?.end(), 60_000);

  it('finishes every event exactly once although each process is killed in turn', async () => {
    landscape = await Landscape.prepare();
    await landscape.start();
    await killEverythingOnce(landscape).catch(async (error: unknown) => {
      throw new Error(`${error instanceof Error ? error.message : String(error)}\n${await landscape?.lastWords()}`);
    });
  });
});

async function killEverythingOnce(landscape: Landscape): Promise<void> {
  const { gateway, reader } = landscape;
  const killer = new Killer(landscape);
  const events = serviceRequests(eventCount);
  const published = publishAll(gateway, events, killer.accepted);
  published.catch(() => undefined);

  // P1: the gateway dies while it accepts; what it answered stays, what it did not is sent again.
  await Promise.race([published, until('the first runs', async () => killer.accepted.size >= 60 && (await reader.count()) >= 20, 60_000)]);
  await killer.kill('gateway');
  await published;
  expect(killer.accepted.size).toBe(eventCount);

  await killer.killProvider('genesys');
  await killer.killProvider('techone');
  await killer.killProvider('salesforce');
  await killer.untilBusy('genesys');
  await killer.kill('contact-centre worker');
  await killer.untilBusy('techone');
  await killer.kill('erp worker 1');
  await killer.kill('crm worker');
  await killer.kill('ledger 1');
  await killer.untilBack('gateway', 'contact-centre worker', 'ledger 1', 'erp worker 1', 'crm worker');
  await killer.killDatabase();
  await killer.killBroker();
  await killer.untilBusy('techone');
  await killer.kill('erp worker 2');
  await killer.kill('ledger 2');

  await until('the end of all runs', async () => (await reader.count('done')) === eventCount, 120_000, 250).catch(async (error: unknown) => {
    throw new Error(`${String(error)}: ${JSON.stringify((await reader.runs()).filter(({ state }) => state !== 'done').slice(0, 5))}`);
  });
  const journals = await Promise.all(landscape.providers.map(async (provider) => effectsIn(provider.name, await provider.journal())));
  const verdict = judge(journals.flat(), { eventIds: [...killer.accepted.keys()], providers: councilProviders, planned: await reader.planned(), ordered: 'techone' });
  expect(verdict).toEqual({ effects: 3 * eventCount, lost: [], doubled: [], outOfOrder: [] });
  expect(landscape.everyProcess().map(({ name, deaths }) => `${name}: ${deaths}`)).toEqual(landscape.everyProcess().map(({ name }) => `${name}: 1`));
  expect(Object.entries(killer.inFlight).filter(([, unfinished]) => unfinished < inFlightWished)).toEqual([]);
}

/** One batch after the other, so that events of one subject are accepted in their order. */
async function publishAll(gateway: GatewayClient, events: ReturnType<typeof serviceRequests>, accepted: Map<string, string>): Promise<void> {
  for (let from = 0; from < events.length; from += 20) {
    for (const [eventId, runId] of await gateway.publishSurely(events.slice(from, from + 20))) accepted.set(eventId, runId);
  }
}
