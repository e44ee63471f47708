import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { until } from './until.js';

const root = resolve(__dirname, '..', '..');
const living = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

/** One service as an operator runs it: `node main.js` with an environment; started, killed and started again under the same name. */
export class ServiceProcess {
  private child: ChildProcess | undefined;
  /** What it has said in all its lives. */
  output = '';
  deaths = 0;

  constructor(
    readonly name: string,
    private readonly words: readonly string[],
    private readonly environment: Readonly<Record<string, string>>,
    /** Answers 2xx once the process serves. */
    private readonly readyUrl: string,
  ) {}

  start(): void {
    const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => ['PATH', 'HOME', 'TMPDIR', 'LANG', 'TZ'].includes(name)));
    const child = spawn(process.execPath, [...this.words], { cwd: root, env: { ...inherited, OUTBOUND_ALLOW: '127.0.0.1', ...this.environment }, stdio: ['pipe', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    child.once('exit', () => living.delete(child));
    living.add(child);
    this.child = child;
  }

  async untilReady(patienceMs = 60_000): Promise<void> {
    await this.untilAnswering('being ready', ({ ok }) => ok, patienceMs);
  }

  /** It has come up, ready or not: a consumer whose predecessor was killed joins its group only after that one's session has ended. */
  async untilListening(patienceMs = 60_000): Promise<void> {
    await this.untilAnswering('listening', () => true, patienceMs);
  }

  private async untilAnswering(what: string, isEnough: (answer: Response) => boolean, patienceMs: number): Promise<void> {
    let last = 'nothing';
    const ask = async (): Promise<boolean> => {
      if (this.hasEnded) throw new Error(`${this.name} ended by itself:\n${this.output.slice(-2000)}`);
      const answer = await this.answer();
      if (answer !== null && !answer.ok) last = await answer.clone().text();
      return answer !== null && isEnough(answer);
    };
    await until(`${this.name} ${what}`, ask, patienceMs, 50).catch((error: unknown) => {
      throw new Error(`${String(error)}\nlast answer: ${last}\n${this.output.slice(-2000)}`);
    });
  }

  get hasEnded(): boolean {
    return this.child === undefined || this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** SIGKILL: no handler runs, nothing is flushed. */
  async kill(): Promise<void> {
    if (this.hasEnded) throw new Error(`${this.name} had ended before it was killed:\n${this.output.slice(-2000)}`);
    await this.end('SIGKILL');
    this.deaths += 1;
  }

  async stop(): Promise<void> {
    if (!this.hasEnded) await this.end('SIGTERM');
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const { child } = this;
    if (child === undefined) return;
    child.kill(signal);
    await until(`${this.name} ending on ${signal}`, () => this.hasEnded, 15_000, 10).catch(async (error: unknown) => {
      child.kill('SIGKILL');
      throw error;
    });
  }

  private async answer(): Promise<Response | null> {
    try {
      return await fetch(this.readyUrl, { signal: AbortSignal.timeout(2_000) });
    } catch {
      // Not listening yet, or too busy to answer.
      return null;
    }
  }
}

export function mainOf(app: string): string {
  return resolve(root, 'apps', app, 'dist', 'main.js');
}
