import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, startKafka, startPostgres, type LocalKafka, type PostgresServer } from '@trunkline/local-services';
import { signalTree } from './process-tree.js';
import { ServiceProcess } from './service-process.js';

export interface ServiceWish {
  readonly name: string;
  readonly words: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly readyUrl: string;
}

export interface LandscapeWishes {
  readonly driver: 'kafka' | 'postgres';
  /** Kept where given; else a folder that is removed at the end. */
  readonly folder?: string;
  readonly postgresSettings?: readonly string[];
}

/** One database, one broker and any number of services, each a process of its own that can be killed, frozen and started again at the same address. */
export class Landscape {
  readonly folder: string;
  private readonly isKept: boolean;
  private readonly known = new Map<string, ServiceProcess>();
  private databaseServer: PostgresServer | undefined;
  private kafka: LocalKafka | undefined;

  private constructor(
    private readonly wishes: LandscapeWishes,
    private readonly ports: { readonly database: number; readonly broker: number },
  ) {
    this.isKept = wishes.folder !== undefined;
    this.folder = wishes.folder ?? mkdtempSync(join(tmpdir(), 'trunkline-processes-'));
    mkdirSync(this.folder, { recursive: true });
    // The database's own user passes through.
    chmodSync(this.folder, 0o755);
  }

  static async prepare(wishes: LandscapeWishes): Promise<Landscape> {
    return new Landscape(wishes, { database: await freePort(), broker: await freePort() });
  }

  get services(): readonly ServiceProcess[] {
    return [...this.known.values()];
  }

  get databaseUrl(): string {
    if (this.databaseServer === undefined) throw new Error('the database has not been started');
    return this.databaseServer.url;
  }

  /** Empty where the log lives in the database. */
  get brokers(): string {
    return this.kafka?.brokers.join(',') ?? '';
  }

  async startServers(): Promise<void> {
    await Promise.all([this.startDatabase(), this.startBroker()]);
  }

  async startDatabase(): Promise<void> {
    this.databaseServer = await startPostgres({ dataDir: join(this.folder, 'pg'), port: this.ports.database, settings: this.wishes.postgresSettings ?? [] });
  }

  async startBroker(): Promise<void> {
    if (this.wishes.driver === 'kafka') this.kafka = await startKafka({ dataDir: join(this.folder, 'kafka'), port: this.ports.broker });
  }

  async killDatabase(): Promise<void> {
    await this.databaseServer?.kill();
  }

  async stopDatabase(): Promise<void> {
    await this.databaseServer?.stop();
  }

  async killBroker(): Promise<void> {
    await this.kafka?.kill();
  }

  async stopBroker(): Promise<void> {
    await this.kafka?.stop();
  }

  /** The server and every session of it. */
  freezeDatabase(): void {
    signalTree(this.databaseServer?.pid, 'SIGSTOP');
  }

  thawDatabase(): void {
    signalTree(this.databaseServer?.pid, 'SIGCONT');
  }

  freezeBroker(): void {
    signalTree(this.kafka?.pid, 'SIGSTOP');
  }

  thawBroker(): void {
    signalTree(this.kafka?.pid, 'SIGCONT');
  }

  /** Makes it known; it is started by its own `start`. */
  add(wish: ServiceWish): ServiceProcess {
    const logs = join(this.folder, 'logs');
    if (this.isKept) mkdirSync(logs, { recursive: true });
    const service = new ServiceProcess({ ...wish, ...(this.isKept && { logFile: join(logs, `${wish.name.replaceAll(' ', '-')}.log`) }) });
    this.known.set(wish.name, service);
    return service;
  }

  service(name: string): ServiceProcess {
    const found = this.known.get(name);
    if (found === undefined) throw new Error(`there is no ${name} here, only ${[...this.known.keys()].join(', ')}`);
    return found;
  }

  /** An app behind its operations port. */
  async addApp(name: string, words: readonly string[], environment: Readonly<Record<string, string>>): Promise<ServiceProcess> {
    const opsPort = await freePort();
    return this.add({ name, words, environment: { ...environment, OPS_PORT: String(opsPort) }, readyUrl: `http://127.0.0.1:${opsPort}/readyz` });
  }

  /** What each said last: the first thing to read when something went wrong. */
  lastWords(characters = 1_000): string {
    return this.services.map(({ name, output }) => `--- ${name}\n${output.slice(-characters)}`).join('\n');
  }

  /** Nothing of it is left at once; for an exit that waits for nothing. */
  killAll(): void {
    for (const service of this.services) if (service.pid !== null) process.kill(service.pid, 'SIGKILL');
    signalTree(this.databaseServer?.pid, 'SIGKILL');
    signalTree(this.kafka?.pid, 'SIGKILL');
    if (!this.isKept) rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Ends everything, whatever state it is in, and removes what was not asked to be kept. */
  async end(): Promise<void> {
    for (const service of this.services) service.thaw();
    this.thawDatabase();
    this.thawBroker();
    await Promise.allSettled(this.services.map((service) => service.stop(10_000)));
    await Promise.allSettled([this.kafka?.stop(), this.databaseServer?.stop()]);
    if (!this.isKept) rmSync(this.folder, { recursive: true, force: true });
  }
}
