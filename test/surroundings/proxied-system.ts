import { parseMasterKeys } from '@trunkline/vault';
import { startConnector as startContactCentre } from '@trunkline/app-connector-contact-centre';
import { startConnector as startCrm } from '@trunkline/app-connector-crm';
import { startConnector as startErp } from '@trunkline/app-connector-erp';
import { startGateway } from '@trunkline/app-gateway';
import { startSyncLedger } from '@trunkline/app-sync-ledger';
import { startFaultProxy, type FaultProxy } from '@trunkline/local-services';
import { openTestDatabase, type TestDatabase } from '@trunkline/storage/testing';
import { createLogger } from '@trunkline/telemetry';
import { councilChain, councilProviders, newMasterKeys, seedCouncil, vaultOf, type Council } from '../support/council.js';
import { effectsIn, judge, type Verdict } from '../support/effects.js';
import { GatewayClient } from '../support/gateway-client.js';
import { LedgerReader } from '../support/ledger-reader.js';
import { NearProvider } from '../support/provider.js';
import { until } from '../support/until.js';

const host = '127.0.0.1';
/** An open intent is looked up only when its call can no longer be running, so this is what each doubt costs. */
const doubtMs = 1_500;
const services = ['gateway', 'ledger', 'workers'] as const;
type Service = (typeof services)[number];

/** Every service with pools and an event log of its own, each behind a proxy of its own in front of one real PostgreSQL. */
export class ProxiedSystem {
  readonly logLines: string[] = [];
  private readonly stops: (() => Promise<unknown>)[] = [];
  private client: GatewayClient | undefined;

  private constructor(
    private readonly database: TestDatabase,
    readonly proxies: Readonly<Record<Service, FaultProxy>>,
    private readonly providers: readonly NearProvider[],
  ) {}

  static async start(): Promise<ProxiedSystem> {
    const database = await openTestDatabase();
    const targetPort = Number(new URL(database.url).port);
    const proxies = Object.fromEntries(await Promise.all(services.map(async (service) => [service, await startFaultProxy({ targetPort })] as const))) as Record<Service, FaultProxy>;
    const providers = await Promise.all(councilProviders.map((name) => NearProvider.start(name)));
    const system = new ProxiedSystem(database, proxies, providers);
    try {
      await system.startServices();
    } catch (error) {
      await system.end();
      throw error;
    }
    return system;
  }

  private config(service: Service) {
    const url = new URL(this.database.url);
    url.port = String(this.proxies[service].port);
    return { databaseUrl: url.toString(), kafkaBrokers: [], opsHost: host, opsPort: 0, outboundAllow: [{ network: host, prefix: 32, port: null }], outboundPorts: [443] };
  }

  private async startServices(): Promise<void> {
    const logger = createLogger({ app: 'test', level: 'info', destination: { write: (line: string) => void this.logLines.push(line) } });
    const masterKeys = newMasterKeys();
    const gateway = await startGateway({ ...this.config('gateway'), host, port: 0, answerWithinMs: 5_000 }, { logger, masterKeys: parseMasterKeys(masterKeys) });
    this.stops.push(() => gateway.close());
    const ledger = await startSyncLedger({ ...this.config('ledger'), keepRunsDays: 30, keepCallsDays: 14 }, { logger });
    this.stops.push(() => ledger.stop(5_000));
    for (const start of [startContactCentre, startErp, startCrm]) {
      const connector = await start(this.config('workers'), { logger, masterKeys: parseMasterKeys(masterKeys) });
      this.stops.push(() => connector.stop(5_000));
    }
    const addresses = Object.fromEntries(this.providers.map(({ name, url }) => [name, url]));
    const council: Council = await seedCouncil({ databases: this.database.databases, vault: vaultOf(this.database.databases, masterKeys), addresses, steps: (integrations) => councilChain(integrations).map((step) => ({ ...step, timeoutMs: doubtMs })) });
    this.client = new GatewayClient(gateway.url, council.apiKey);
  }

  get gateway(): GatewayClient {
    if (this.client === undefined) throw new Error('not started');
    return this.client;
  }

  get reader(): LedgerReader {
    return new LedgerReader(this.database.url);
  }

  async untilDone(count: number, patienceMs = 60_000): Promise<void> {
    await until(`${count} runs done`, async () => (await this.reader.count('done')) === count, patienceMs, 50).catch(async (error: unknown) => {
      throw new Error(`${String(error)}: ${JSON.stringify((await this.reader.runs()).filter(({ state }) => state !== 'done').slice(0, 3))}\n${this.logLines.slice(-5).map((line) => line.slice(0, 400)).join('\n')}`);
    });
  }

  async verdict(eventIds: readonly string[]): Promise<Verdict> {
    const effects = (await Promise.all(this.providers.map(async (provider) => effectsIn(provider.name, await provider.journal())))).flat();
    return judge(effects, { eventIds, providers: councilProviders, planned: await this.reader.planned(), ordered: 'techone' });
  }

  async end(): Promise<void> {
    await Promise.allSettled(this.stops.reverse().map((stop) => stop()));
    await Promise.allSettled([...Object.values(this.proxies).map((proxy) => proxy.stop()), ...this.providers.map((provider) => provider.remove())]);
    await this.database.close();
  }
}
