import { startConnector as startContactCentre } from '@trunkline/app-connector-contact-centre';
import { startConnector as startCrm } from '@trunkline/app-connector-crm';
import { startConnector as startErp } from '@trunkline/app-connector-erp';
import { startGateway } from '@trunkline/app-gateway';
import { startSyncLedger } from '@trunkline/app-sync-ledger';
import { topics } from '@trunkline/contracts';
import { createEventLog, createPostgresDriver, type EventLog } from '@trunkline/event-log';
import type { LedgerSettings } from '@trunkline/ledger';
import type { SimulatedProvider } from '@trunkline/simulators';
import { parseMasterKeys } from '@trunkline/vault';
import { openTestDatabase, type TestDatabase } from '@trunkline/storage/testing';
import { createLogger, createMetrics, meteredEventLog } from '@trunkline/telemetry';
import { councilProviders, newMasterKeys, seedCouncil, vaultOf, type Council, type CouncilWishes } from './council.js';
import { effectsIn, type Effect } from './effects.js';
import { GatewayClient } from './gateway-client.js';
import { LedgerReader } from './ledger-reader.js';
import { NearProvider, type ProviderWishes } from './provider.js';
import { until } from './until.js';

export interface SystemWishes {
  readonly providers?: Readonly<Partial<Record<SimulatedProvider, ProviderWishes>>>;
  readonly ledgerSettings?: Partial<LedgerSettings>;
  /** As in TRUNKLINE_MASTER_KEYS. */
  readonly masterKeys?: string;
}

interface Stoppable {
  stop(graceMs: number): Promise<void>;
}

const host = '127.0.0.1';

/** Every service in this process on a real database and real simulators: what a promise is shown on when nothing has to be killed. */
export class System {
  readonly logLines: string[] = [];
  readonly metrics = createMetrics();
  private readonly logger = createLogger({ app: 'test', level: 'debug', destination: { write: (line: string) => void this.logLines.push(line) } });
  private readonly running: (() => Promise<unknown>)[] = [];
  private ledger: Stoppable | undefined;
  private url = '';

  private constructor(
    readonly database: TestDatabase,
    readonly log: EventLog,
    readonly providers: Readonly<Record<SimulatedProvider, NearProvider>>,
    private readonly ledgerSettings: Partial<LedgerSettings>,
    readonly masterKeys: string,
  ) {}

  static async start({ providers: wishes = {}, ledgerSettings = {}, masterKeys = newMasterKeys() }: SystemWishes = {}): Promise<System> {
    const database = await openTestDatabase();
    const started = await Promise.all(councilProviders.map(async (name) => [name, await NearProvider.start(name, wishes[name])] as const));
    const log = createEventLog(createPostgresDriver({ pool: database.databases.log, listenConnectionString: database.url }));
    const system = new System(database, log, Object.fromEntries(started) as Record<SimulatedProvider, NearProvider>, ledgerSettings, masterKeys);
    await system.startServices();
    return system;
  }

  private get config() {
    return { databaseUrl: this.database.url, kafkaBrokers: [], opsHost: host, opsPort: 0, outboundAllow: [{ network: host, prefix: 32, port: null }], outboundPorts: [443] };
  }

  private get shared() {
    return { databases: this.database.databases, eventLog: meteredEventLog(this.log, this.metrics), logger: this.logger, metrics: this.metrics };
  }

  private async startServices(): Promise<void> {
    await this.log.ensureTopics(topics);
    const masterKeys = parseMasterKeys(this.masterKeys);
    await this.startLedger();
    for (const start of [startContactCentre, startErp, startCrm]) {
      const connector = await start(this.config, { ...this.shared, masterKeys });
      this.running.push(() => connector.stop(2_000));
    }
    const gateway = await startGateway({ ...this.config, host, port: 0, answerWithinMs: 5_000 }, { ...this.shared, masterKeys });
    this.running.push(() => gateway.close());
    this.url = gateway.url;
  }

  async startLedger(): Promise<void> {
    this.ledger = await startSyncLedger({ ...this.config, keepRunsDays: 30, keepCallsDays: 14 }, { ...this.shared, settings: this.ledgerSettings });
  }

  async stopLedger(): Promise<void> {
    await this.ledger?.stop(5_000);
    this.ledger = undefined;
  }

  get reader(): LedgerReader {
    return new LedgerReader(this.database.url);
  }

  /** An organisation whose integrations point at this system's providers, or elsewhere. */
  seed(wishes: Partial<Omit<CouncilWishes, 'databases' | 'vault'>> = {}): Promise<Council> {
    const addresses = Object.fromEntries(councilProviders.map((name) => [name, this.providers[name].url]));
    return seedCouncil({ addresses, ...wishes, databases: this.database.databases, vault: vaultOf(this.database.databases, this.masterKeys) });
  }

  client(council: Pick<Council, 'apiKey'>): GatewayClient {
    return new GatewayClient(this.url, council.apiKey);
  }

  async effects(...names: readonly SimulatedProvider[]): Promise<readonly Effect[]> {
    const wanted = names.length === 0 ? councilProviders : names;
    return (await Promise.all(wanted.map(async (name) => effectsIn(name, await this.providers[name].journal())))).flat();
  }

  async untilState(runIds: Iterable<string>, state: string, patienceMs = 60_000): Promise<void> {
    const wanted = [...runIds];
    const { reader } = this;
    await until(`${wanted.length} runs ${state}`, async () => {
      const [row] = await reader.query<{ count: number }>('select count(*)::int as count from runs where run_id = any($1::uuid[]) and state = $2', [wanted, state]);
      return row?.count === wanted.length;
    }, patienceMs, 40).catch(async (error: unknown) => {
      const rest = (await reader.runs()).filter((run) => wanted.includes(run.runId) && run.state !== state);
      throw new Error(`${String(error)}; ${rest.length} are not: ${JSON.stringify(rest.slice(0, 3))}\n${this.logLines.slice(-5).join('')}`);
    });
  }

  async end(): Promise<void> {
    await Promise.allSettled([this.stopLedger(), ...this.running.map((stop) => stop())]);
    await this.log.close();
    await Promise.allSettled(Object.values(this.providers).map((provider) => provider.remove()));
    await this.database.close();
  }
}
