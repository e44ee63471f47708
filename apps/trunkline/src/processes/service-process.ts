import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';

const living = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

const keptOutput = 256 * 1024;

export interface ServiceWishes {
  readonly name: string;
  /** What `node` is given: a main file and its words. */
  readonly words: readonly string[];
  /** All it gets beside PATH, HOME and the like. */
  readonly environment: Readonly<Record<string, string>>;
  /** Answers 2xx once the process serves. */
  readonly readyUrl: string;
  /** What it says is added there. */
  readonly logFile?: string;
}

/** One service as an operator runs it: `node main.js` with an environment; started, killed, frozen and started again under the same name. */
export class ServiceProcess {
  readonly name: string;
  private child: ChildProcess | undefined;
  /** The last of what it has said in all its lives. */
  output = '';
  deaths = 0;

  constructor(private readonly wishes: ServiceWishes) {
    this.name = wishes.name;
  }

  /** `only` is in the environment of this life alone. */
  start(only: Readonly<Record<string, string>> = {}): void {
    const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => ['PATH', 'HOME', 'TMPDIR', 'LANG', 'TZ'].includes(name)));
    // A process group of its own: Ctrl-C in a terminal reaches only the parent, which ends everything in its order.
    const child = spawn(process.execPath, [...this.wishes.words], { detached: true, env: { ...inherited, ...this.wishes.environment, ...only }, stdio: ['pipe', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text: string) => this.hear(text));
    // A process that dies while it is written to breaks its pipe.
    child.stdin?.on('error', () => child.stdin?.destroy());
    child.once('exit', () => living.delete(child));
    living.add(child);
    this.child = child;
  }

  private hear(text: string): void {
    this.output = (this.output + text).slice(-keptOutput);
    if (this.wishes.logFile !== undefined) appendFileSync(this.wishes.logFile, text);
  }

  get pid(): number | null {
    return this.hasEnded ? null : (this.child?.pid ?? null);
  }

  /** The signal that ended its last life; null while it lives, or when it ended by itself. */
  get endedBy(): NodeJS.Signals | null {
    return this.child?.signalCode ?? null;
  }

  get hasEnded(): boolean {
    return this.child === undefined || this.child.exitCode !== null || this.child.signalCode !== null;
  }

  async untilReady(patienceMs = 60_000): Promise<void> {
    await this.untilAnswering('being ready', ({ ok }) => ok, patienceMs);
  }

  /** It has come up, ready or not: a consumer whose predecessor was killed joins its group only after that one's session has ended. */
  async untilListening(patienceMs = 60_000): Promise<void> {
    await this.untilAnswering('listening', () => true, patienceMs);
  }

  private async untilAnswering(what: string, isEnough: (answer: Response) => boolean, patienceMs: number): Promise<void> {
    const giveUpAt = performance.now() + patienceMs;
    for (let last = 'nothing'; ; await wait(50)) {
      if (this.hasEnded) throw new Error(`${this.name} ended by itself:\n${this.output.slice(-2000)}`);
      const answer = await this.answer();
      if (answer !== null && !answer.ok) last = await answer.clone().text().catch(String);
      if (answer !== null && isEnough(answer)) return;
      if (performance.now() > giveUpAt) throw new Error(`${this.name} ${what} did not happen within ${patienceMs} ms\nlast answer: ${last}\n${this.output.slice(-2000)}`);
    }
  }

  /** Whether it is ready and what it complained of last, in two lines. */
  async inBrief(): Promise<string> {
    const answer = await this.answer();
    const readiness = this.hasEnded ? 'has ended' : answer === null ? 'does not answer' : answer.ok ? 'is ready' : `is not ready: ${(await answer.text()).trim()}`;
    return `${this.name} ${readiness}\n    last said: ${lastComplaint(this.output)}`;
  }

  /** SIGKILL: no handler runs, nothing is flushed. */
  async kill(): Promise<void> {
    if (this.hasEnded) throw new Error(`${this.name} had ended before it was killed:\n${this.output.slice(-2000)}`);
    await this.end('SIGKILL', 15_000);
    this.deaths += 1;
  }

  /** SIGSTOP: it lives and does nothing, as in a long pause of the machine. */
  freeze(): void {
    this.child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.child?.kill('SIGCONT');
  }

  /** SIGTERM, and SIGKILL for one that does not end. */
  async stop(patienceMs = 15_000): Promise<void> {
    if (!this.hasEnded) await this.end('SIGTERM', patienceMs);
  }

  private async end(signal: NodeJS.Signals, patienceMs: number): Promise<void> {
    const { child } = this;
    if (child === undefined) return;
    child.kill(signal);
    for (const giveUpAt = performance.now() + patienceMs; !this.hasEnded; await wait(10)) {
      if (performance.now() < giveUpAt) continue;
      child.kill('SIGKILL');
      throw new Error(`${this.name} did not end on ${signal} within ${patienceMs} ms`);
    }
  }

  private async answer(): Promise<Response | null> {
    try {
      return await fetch(this.wishes.readyUrl, { signal: AbortSignal.timeout(2_000) });
    } catch {
      // Not listening yet, or too busy to answer.
      return null;
    }
  }
}

/** The last line of a log of JSON lines, without its stacks. */
function lastComplaint(output: string): string {
  const line = output.trimEnd().split('\n').at(-1) ?? '';
  try {
    const { time, message, err } = JSON.parse(line) as { readonly time?: string; readonly message?: string; readonly err?: { readonly message?: string; readonly cause?: { readonly message?: string } } };
    return [time, message, err?.message, err?.cause?.message].filter((part) => part !== undefined).join(' · ').slice(0, 400);
  } catch {
    return line.slice(-400);
  }
}
