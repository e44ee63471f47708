import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { OutcomeFailed } from '../client/failure.js';

const appsFolder = new URL('../../../', import.meta.url);
const readyWithinMs = 120_000;

/** One app as an operator runs it: its own process and environment, started again as soon as it has been killed. */
export class AppProcess {
  private child: ChildProcess | undefined;
  private words = '';

  constructor(
    readonly name: string,
    private readonly app: string,
    private readonly environment: Readonly<Record<string, string>>,
    private readonly opsPort: number,
  ) {}

  start(): void {
    const inherited = Object.fromEntries(Object.entries(process.env).flatMap(([name, value]): [string, string][] => (['PATH', 'HOME', 'TMPDIR', 'LANG', 'TZ', 'KAFKA_CLIENT', 'KAFKA_SESSION_TIMEOUT_MS'].includes(name) && value !== undefined ? [[name, value]] : [])));
    const entry = fileURLToPath(new URL(`${this.app}/dist/main.js`, appsFolder));
    const child = spawn(process.execPath, [entry], { env: { ...inherited, ...(process.env['KAFKA_CLIENT'] === 'platformatic' && { KAFKA_INSTANCE_ID: this.name.replaceAll(/[^\w.-]/g, '-') }), ...this.environment, OPS_PORT: String(this.opsPort) }, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (this.words = (this.words + text).slice(-2_000)));
    this.child = child;
  }

  /** SIGKILL: no handler runs, nothing is flushed. Started again by a supervisor that notices at once. */
  async killAndStart(): Promise<void> {
    await this.end('SIGKILL');
    this.start();
  }

  async stop(): Promise<void> {
    await this.end('SIGTERM');
  }

  /** Resolves with how long it took, once the app says that it serves. */
  async untilReady(): Promise<number> {
    const start = performance.now();
    while (!(await this.isReady())) {
      if (this.hasEnded || performance.now() - start > readyWithinMs) throw OutcomeFailed.because(`${this.name} ${this.hasEnded ? 'ended by itself' : `was not ready within ${readyWithinMs} ms`}: ${this.words}`);
      await wait(25);
    }
    return performance.now() - start;
  }

  private get hasEnded(): boolean {
    return this.child === undefined || this.child.exitCode !== null || this.child.signalCode !== null;
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const { child } = this;
    if (child === undefined || this.hasEnded) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill(signal);
    const late = setTimeout(() => child.kill('SIGKILL'), 30_000);
    await gone;
    clearTimeout(late);
  }

  private async isReady(): Promise<boolean> {
    try {
      const answer = await fetch(`http://127.0.0.1:${this.opsPort}/readyz`, { signal: AbortSignal.timeout(2_000) });
      await answer.arrayBuffer();
      return answer.ok;
    } catch {
      // Not listening yet, or too busy to answer.
      return false;
    }
  }
}
