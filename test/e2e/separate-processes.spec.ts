import { setTimeout as wait } from 'node:timers/promises';
import { Landscape, type ServiceProcess } from '@trunkline/app-trunkline';
import { describeWithLocalKafka, freePort } from '@trunkline/local-services';
import { migrate, openDatabases } from '@trunkline/storage';
import { councilProviders, newMasterKeys, seedCouncil, vaultOf, type Council } from '../support/council.js';
import { effectsIn, judge } from '../support/effects.js';
import { GatewayClient } from '../support/gateway-client.js';
import { LedgerReader } from '../support/ledger-reader.js';
import { FarProvider } from '../support/provider.js';
import { mainOf } from '../support/service-process.js';
import { serviceRequests } from '../support/service-requests.js';
import { until } from '../support/until.js';

jest.setTimeout(900_000);

/** Enough for the quickest machine; what is published is what the kills needed. */
const mostEvents = 1_500;
const inFlightWished = 50;
/** In hand all the while, so that a kill finds the wished number although work goes on while it is prepared. */
const inFlightKept = 150;

/** Everything as an operator runs it: each app `node dist/main.js` with its environment, one broker, one database, three providers. All may be killed, so nothing here is shared with other suites. */
class Platform {
  council: Council | undefined;

  private constructor(
    readonly landscape: Landscape,
    readonly providers: readonly FarProvider[],
    private readonly gatewayPort: number,
  ) {}

  static async prepare(): Promise<Platform> {
    const providers = [new FarProvider('genesys', await freePort(), { latencyMs: 250 }), new FarProvider('techone', await freePort(), { latencyMs: 200 }), new FarProvider('salesforce', await freePort(), { latencyMs: 100 })];
    return new Platform(await Landscape.prepare({ driver: 'kafka' }), providers, await freePort());
  }

  async start(): Promise<void> {
    await Promise.all([this.landscape.startServers(), ...this.providers.map(({ process: running }) => begin(running))]);
    await this.startApps();
  }

  get reader(): LedgerReader {
    return new LedgerReader(this.landscape.databaseUrl);
  }

  get gateway(): GatewayClient {
    return new GatewayClient(`http://127.0.0.1:${this.gatewayPort}`, this.council?.apiKey ?? '');
  }

  provider(name: string): FarProvider {
    const found = this.providers.find((provider) => provider.name === name);
    if (found === undefined) throw new Error(`no provider ${name}`);
    return found;
  }

  private async startApps(): Promise<void> {
    const { landscape } = this;
    const masterKeys = newMasterKeys();
    await migrate(landscape.databaseUrl);
    const databases = openDatabases(landscape.databaseUrl);
    // Two calls at once and two per run make Genesys the slowest: about four runs a second, so that there is work for every kill.
    this.council = await seedCouncil({ databases, vault: vaultOf(databases, masterKeys), addresses: Object.fromEntries(this.providers.map(({ name, url }) => [name, url])), settings: { genesys: { limit_concurrent: 2 }, techone: { limit_concurrent: 3 } } });
    await databases.close();
    const environment = { DATABASE_URL: landscape.databaseUrl, KAFKA_BROKERS: landscape.brokers, TRUNKLINE_MASTER_KEYS: masterKeys, PORT: String(this.gatewayPort), OUTBOUND_ALLOW: '127.0.0.1/32' };
    const members = [['gateway', 'gateway'], ['ledger 1', 'sync-ledger'], ['ledger 2', 'sync-ledger'], ['contact-centre worker', 'connector-contact-centre'], ['erp worker 1', 'connector-erp'], ['erp worker 2', 'connector-erp'], ['crm worker', 'connector-crm']] as const;
    for (const [name, app] of members) await landscape.addApp(name, [mainOf(app)], environment);
    // The gateway creates the topics that the others read.
    await begin(landscape.service('gateway'));
    await Promise.all(landscape.services.filter(({ name }) => name !== 'gateway').map(begin));
  }

  everyProcess(): readonly ServiceProcess[] {
    return [...this.landscape.services, ...this.providers.map((provider) => provider.process)];
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
    await Promise.allSettled(this.providers.map((provider) => provider.remove()));
    await this.landscape.end();
  }
}

async function begin(service: ServiceProcess): Promise<void> {
  service.start();
  await service.untilReady();
}

/** Kills one process after another while events are on their way, and remembers how many runs were in flight each time. */
class Killer {
  readonly inFlight: Record<string, number> = {};
  /** Event ids that have been answered with 202. */
  readonly accepted = new Map<string, string>();
  private readonly beganAt = performance.now();

  constructor(private readonly platform: Platform) {}

  async kill(name: string): Promise<void> {
    await this.count(name);
    const app = this.platform.landscape.service(name);
    await app.kill();
    app.start();
  }

  /** Its predecessor's session in the group must end first, which takes half a minute; several may wait for that together. */
  async untilBack(...names: readonly string[]): Promise<void> {
    await Promise.all(names.map((name) => this.platform.landscape.service(name).untilListening()));
  }

  /** In the middle of a call, of which the provider has made the effect or not. */
  async killProvider(name: string): Promise<void> {
    await this.untilBusy(name);
    await this.count(`${name} simulator`);
    const { process: running } = this.platform.provider(name);
    await running.kill();
    // It may come up while the next one is killed; a busy machine needs a while for each start.
    running.start();
  }

  async killDatabase(): Promise<void> {
    await this.count('database');
    await this.platform.landscape.killDatabase();
    await this.platform.landscape.startDatabase();
  }

  async killBroker(): Promise<void> {
    await this.count('broker');
    await this.platform.landscape.killBroker();
    await this.platform.landscape.startBroker();
  }

  /** After the broker's death the sessions of members killed before run once more from their beginning, half a minute, and a consumer that fetches nothing is started again after a quarter. */
  async untilBusy(provider: string): Promise<void> {
    await until(`a call at ${provider}`, async () => (await this.platform.provider(provider).callsInHand().catch(() => 0)) > 0, 120_000, 5);
  }

  private async count(name: string): Promise<void> {
    const unfinished = this.accepted.size - (await this.platform.reader.count('done'));
    this.inFlight[name] = unfinished;
    process.stderr.write(`${((performance.now() - this.beganAt) / 1000).toFixed(1)} s: killing ${name} with ${unfinished} runs in flight\n`);
  }
}

describeWithLocalKafka('every app as its own process, on Kafka and PostgreSQL', () => {
  let platform: Platform | undefined;

  afterAll(() => platform?.end(), 60_000);

  it('finishes every event exactly once although each process is killed in turn', async () => {
    platform = await Platform.prepare();
    await platform.start();
    await killEverythingOnce(platform).catch(async (error: unknown) => {
      throw new Error(`${error instanceof Error ? error.message : String(error)}\n${await platform?.lastWords()}`);
    });
  });
});

async function killEverythingOnce(platform: Platform): Promise<void> {
  const { gateway, reader } = platform;
  const killer = new Killer(platform);
  let isOver = false;
  const published = keepInHand(gateway, reader, killer.accepted, () => isOver);
  published.catch(() => undefined);

  // P1: the gateway dies while it accepts; what it answered stays, what it did not is sent again.
  await Promise.race([published, until('the first runs', async () => killer.accepted.size >= 60 && (await reader.count()) >= 20, 60_000)]);
  await killer.kill('gateway');

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
  isOver = true;
  await published;
  const eventCount = killer.accepted.size;

  await until('the end of all runs', async () => (await reader.count('done')) === eventCount, 240_000, 250).catch(async (error: unknown) => {
    throw new Error(`${String(error)}: ${JSON.stringify((await reader.runs()).filter(({ state }) => state !== 'done').slice(0, 5))}`);
  });
  const journals = await Promise.all(platform.providers.map(async (provider) => effectsIn(provider.name, await provider.journal())));
  const verdict = judge(journals.flat(), { eventIds: [...killer.accepted.keys()], providers: councilProviders, planned: await reader.planned(), ordered: 'techone' });
  expect(verdict).toEqual({ effects: 3 * eventCount, lost: [], doubled: [], outOfOrder: [] });
  expect(platform.everyProcess().map(({ name, deaths }) => `${name}: ${deaths}`)).toEqual(platform.everyProcess().map(({ name }) => `${name}: 1`));
  expect(Object.entries(killer.inFlight).filter(([, unfinished]) => unfinished < inFlightWished)).toEqual([]);
}

/** One batch after the other, so that events of one subject are accepted in their order; the next one when little is left to do. */
async function keepInHand(gateway: GatewayClient, reader: LedgerReader, accepted: Map<string, string>, isOver: () => boolean): Promise<void> {
  const events = serviceRequests(mostEvents);
  for (let from = 0; from < events.length && !isOver(); ) {
    // The database is one of those that are killed.
    const done = await reader.count('done').catch(() => 0);
    if (accepted.size - done >= inFlightKept) {
      await wait(100);
      continue;
    }
    for (const [eventId, runId] of await gateway.publishSurely(events.slice(from, from + 20), 120_000)) accepted.set(eventId, runId);
    from += 20;
  }
}
