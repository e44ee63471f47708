import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { isRunning, placesToWipe } from '@trunkline/local-services';

const root = resolve(__dirname, '..', '..');

/** What `npm start -- --replay N --exit --output json` prints last. */
export interface ReplaySummary {
  readonly accepted: number;
  readonly done: number;
  readonly deferred: number;
  readonly parked: number;
  readonly deadLettered: number;
  readonly effects: number;
  readonly lost: number;
  readonly duplicates: number;
  readonly outOfOrder: number;
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly eventsPerSecond: number | null;
}

/** `npm start` in a state folder of its own, as a newcomer runs it: a real process with real children. */
export class Platform {
  readonly folder = mkdtempSync(join(tmpdir(), 'trunkline e2e '));
  private child: ChildProcess | undefined;
  private text = '';

  constructor() {
    chmodSync(this.folder, 0o755);
  }

  get output(): string {
    return this.text;
  }

  start(words: readonly string[], environment: Readonly<Record<string, string>> = {}): void {
    const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !['DATABASE_URL', 'NODE_OPTIONS', 'TRUNKLINE_URL', 'TRUNKLINE_API_KEY'].includes(name) && !name.startsWith('JEST')));
    this.child = spawn(process.execPath, [join(root, 'tools', 'start.mjs'), ...words], { cwd: root, env: { ...inherited, TRUNKLINE_STATE: join(this.folder, 'state'), NO_COLOR: '1', ...environment }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.text = '';
    for (const stream of [this.child.stdout, this.child.stderr]) stream?.setEncoding('utf8').on('data', (chunk: string) => (this.text += chunk));
  }

  async exitStatus(patienceMs = 240_000): Promise<number> {
    const { child } = this;
    if (child === undefined) throw new Error('not started');
    const giveUpAt = performance.now() + patienceMs;
    while (child.exitCode === null && child.signalCode === null && performance.now() < giveUpAt) await wait(20);
    if (child.exitCode === null && child.signalCode === null) throw new Error(`did not end within ${patienceMs} ms:\n${this.text.slice(-3000)}`);
    return child.exitCode ?? 128;
  }

  async until(condition: () => boolean | Promise<boolean>, what: string, patienceMs = 90_000): Promise<void> {
    const giveUpAt = performance.now() + patienceMs;
    while (!(await condition())) {
      if (performance.now() > giveUpAt || (this.child?.exitCode ?? null) !== null) throw new Error(`${what} did not happen:\n${this.text.slice(-3000)}`);
      await wait(20);
    }
  }

  summary(): ReplaySummary {
    const last = this.text.trim().split('\n').findLast((line) => line.startsWith('{'));
    if (last === undefined) throw new Error(`no summary:\n${this.text.slice(-3000)}`);
    return JSON.parse(last) as ReplaySummary;
  }

  signal(signal: NodeJS.Signals): void {
    this.child?.kill(signal);
  }

  /** Pids of everything that runs for this folder: platform, simulators, database, broker. */
  pids(): readonly number[] {
    const state = join(this.folder, 'state');
    if (!existsSync(state)) return [];
    const files = [join(state, 'platform.pid'), ...filesIn(join(state, 'simulators'), '.pid'), ...filesIn(join(state, 'kafka'), '.pid'), ...placesToWipe(join(state, 'pg')).flatMap((place) => [join(place, 'postmaster.pid'), join(place, 'data', 'postmaster.pid')])];
    return files.filter((file) => existsSync(file)).map((file) => Number.parseInt(readFileSync(file, 'utf8'), 10)).filter((pid) => pid > 0 && isRunning(pid));
  }

  /** SIGKILL to everything at once. */
  async killAll(): Promise<number> {
    const pids = this.pids();
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    this.child?.kill('SIGKILL');
    const giveUpAt = performance.now() + 10_000;
    while (pids.some((pid) => isRunning(pid)) && performance.now() < giveUpAt) await wait(10);
    return pids.length;
  }

  async remove(): Promise<void> {
    await this.killAll();
    for (const place of [...placesToWipe(join(this.folder, 'state', 'pg')), this.folder]) rmSync(place, { recursive: true, force: true });
  }
}

function filesIn(folder: string, ending: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(ending)).map((name) => join(folder, name)) : [];
}
