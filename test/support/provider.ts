import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { readJournal, startSimulator, type JournalEntry, type RunningSimulator, type SimulatedProvider } from '@trunkline/simulators';
import { ServiceProcess } from './service-process.js';

export interface ProviderWishes {
  readonly latencyMs?: number;
  /** The provider accepts this pair only. */
  readonly clientSecret?: string;
}

/** A simulated provider and its two outer sides: what tests may do to it, and its journal. */
export abstract class Provider {
  readonly dataDir = mkdtempSync(join(tmpdir(), 'trunkline-provider-'));

  constructor(readonly name: SimulatedProvider) {}

  abstract get url(): string;
  abstract stop(): Promise<void>;

  async control(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<Readonly<Record<string, unknown>>> {
    const answer = await fetch(`${this.url}/_control${path}`, { method, ...(body !== undefined && { body: JSON.stringify(body) }) });
    if (!answer.ok) throw new Error(`${method} ${path} of the ${this.name} simulator: ${answer.status} ${await answer.text()}`);
    const text = await answer.text();
    return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
  }

  async addFault(fault: Readonly<Record<string, unknown>>): Promise<void> {
    await this.control('POST', '/faults', fault);
  }

  async clearFaults(): Promise<void> {
    await this.control('DELETE', '/faults');
  }

  async callsInHand(): Promise<number> {
    return Number((await this.control('GET', '/stats'))['callsInHand']);
  }

  /** Straight from the disk: what is written there was done, whatever the process says. */
  journal(): Promise<readonly JournalEntry[]> {
    return readJournal(this.dataDir);
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}

/** In this process: cheap, for everything but crashes of the provider itself. */
export class NearProvider extends Provider {
  private running: RunningSimulator | undefined;

  static async start(name: SimulatedProvider, { latencyMs = 0, clientSecret }: ProviderWishes = {}): Promise<NearProvider> {
    const provider = new NearProvider(name);
    provider.running = await startSimulator({ provider: name, dataDir: provider.dataDir, limits: 'off', searchLagMs: 100, latencyMs, ...(clientSecret !== undefined && { credentials: { clientId: 'client', clientSecret } }) });
    return provider;
  }

  get url(): string {
    return this.running?.url ?? '';
  }

  async stop(): Promise<void> {
    await this.running?.stop();
  }
}

/** A process of its own that can be killed and comes back at the same address with the same journal. */
export class FarProvider extends Provider {
  readonly process: ServiceProcess;

  constructor(
    name: SimulatedProvider,
    private readonly port: number,
    { latencyMs = 0 }: ProviderWishes = {},
  ) {
    super(name);
    const main = join(resolve(__dirname, '..', '..'), 'libs', 'simulators', 'dist', 'main.js');
    this.process = new ServiceProcess(`${name} simulator`, [main, name, '--data', this.dataDir, '--port', String(port), '--limits', 'off', '--search-lag-ms', '100', '--latency-ms', String(latencyMs), '--stop-with-parent'], {}, `${this.url}/_control/clock`);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  stop(): Promise<void> {
    return this.process.stop();
  }
}
