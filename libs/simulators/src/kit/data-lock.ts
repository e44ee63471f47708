import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SimulatorDataInUse } from './errors.js';

interface Holder {
  readonly instance: string;
  readonly url: string;
  readonly pid: number;
}

const askMs = 1_000;

/**
 * Two simulators on one journal would give the same ids twice. The holder is asked over HTTP who it is, because a process
 * id may be stale or belong to somebody else by now.
 */
export class DataLock {
  readonly instance = randomUUID();
  private readonly file: string;

  constructor(private readonly dataDir: string) {
    mkdirSync(dataDir, { recursive: true });
    this.file = join(dataDir, 'simulator.json');
  }

  async refuseSecond(): Promise<void> {
    const holder = this.holder();
    if (holder !== undefined && (await isAlive(holder))) {
      throw SimulatorDataInUse.because(`${this.dataDir} belongs to process ${holder.pid} at ${holder.url}`, { ...holder });
    }
  }

  take(url: string): void {
    writeFileSync(this.file, JSON.stringify({ instance: this.instance, url, pid: process.pid } satisfies Holder), { mode: 0o600 });
  }

  release(): void {
    if (this.holder()?.instance === this.instance) rmSync(this.file, { force: true });
  }

  private holder(): Holder | undefined {
    if (!existsSync(this.file)) return undefined;
    try {
      return JSON.parse(readFileSync(this.file, 'utf8')) as Holder;
    } catch {
      // Torn by a kill: whoever wrote it never began to listen.
      return undefined;
    }
  }
}

async function isAlive(holder: Holder): Promise<boolean> {
  try {
    const answer = await fetch(`${holder.url}/_control/stats`, { signal: AbortSignal.timeout(askMs) });
    const stats = (await answer.json()) as { readonly instance?: string };
    return stats.instance === holder.instance;
  } catch (error) {
    // Silence means frozen, and a frozen simulator may wake up; a refused connection or a stranger's answer means it is gone.
    return error instanceof Error && error.name === 'TimeoutError';
  }
}
