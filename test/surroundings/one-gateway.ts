import { freePort, type PostgresServer } from '@trunkline/local-services';
import { migrate, openDatabases } from '@trunkline/storage';
import { newMasterKeys, seedCouncil, vaultOf } from '../support/council.js';
import { GatewayClient } from '../support/gateway-client.js';
import { LedgerReader } from '../support/ledger-reader.js';
import { mainOf, ServiceProcess } from '../support/service-process.js';
import { councilEvent } from '../support/service-requests.js';

/** A gateway before a database that is about to suffer; the ledger comes later, to show what is there. No provider: a run ends with its planning. */
export class OneGateway {
  /** Event ids answered with 202. */
  readonly accepted = new Set<string>();

  private constructor(
    private readonly databaseUrl: string,
    private readonly gateway: ServiceProcess,
    private readonly ledger: ServiceProcess,
    readonly client: GatewayClient,
  ) {}

  static async start(databaseUrl: string): Promise<OneGateway> {
    await migrate(databaseUrl);
    const masterKeys = newMasterKeys();
    const databases = openDatabases(databaseUrl);
    const council = await seedCouncil({ databases, vault: vaultOf(databases, masterKeys), addresses: {} });
    await databases.close();
    const [port, gatewayOps, ledgerOps] = [await freePort(), await freePort(), await freePort()];
    const environment = { DATABASE_URL: databaseUrl, TRUNKLINE_MASTER_KEYS: masterKeys, PORT: String(port) };
    const gateway = new ServiceProcess('gateway', [mainOf('gateway')], { ...environment, OPS_PORT: String(gatewayOps) }, `http://127.0.0.1:${gatewayOps}/readyz`);
    const ledger = new ServiceProcess('ledger', [mainOf('sync-ledger')], { ...environment, OPS_PORT: String(ledgerOps) }, `http://127.0.0.1:${ledgerOps}/readyz`);
    gateway.start();
    await gateway.untilReady();
    return new OneGateway(databaseUrl, gateway, ledger, new GatewayClient(`http://127.0.0.1:${port}`, council.apiKey));
  }

  /** As a well-behaved publisher: until accepted. */
  async publish(prefix: string, count: number): Promise<void> {
    const events = Array.from({ length: count }, (_, index) => councilEvent(`${prefix} ${index}`));
    await this.client.publishSurely(events, 60_000);
    for (const { id } of events) this.accepted.add(id);
  }

  async startLedger(): Promise<void> {
    this.ledger.start();
    await this.ledger.untilReady();
  }

  async missing(): Promise<readonly string[]> {
    const rows = await new LedgerReader(this.databaseUrl).query<{ event_id: string }>(`select event_id from runs join run_events using (organisation_id, run_id) where state = 'done'`);
    const done = new Set(rows.map(({ event_id }) => event_id));
    return [...this.accepted].filter((id) => !done.has(id));
  }

  get lastWords(): string {
    return this.gateway.output.slice(-4_000);
  }

  async end(): Promise<void> {
    await Promise.allSettled([this.gateway.stop(), this.ledger.stop()]);
  }
}

/** Whether the server has ended by itself. */
export function watchEnd(server: PostgresServer): () => boolean {
  let hasEnded = false;
  void server.exited.then(() => (hasEnded = true));
  return () => hasEnded;
}
