import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describeWithLocalKafka, placesToWipe } from '@trunkline/local-services';
import type { BenchResult } from './result.js';

jest.setTimeout(400_000);

const entry = resolve(__dirname, '..', '..', 'bin', 'trunkline.mjs');
const state = mkdtempSync(join(tmpdir(), 'trunkline-saved-'));
chmodSync(state, 0o755);
afterAll(() => rmSync(state, { recursive: true, force: true }));

class Command {
  private readonly child: ChildProcess;
  out = '';
  said = '';

  constructor(...words: readonly string[]) {
    this.child = spawn(process.execPath, [entry, 'bench', ...words], { env: { ...process.env, TRUNKLINE_STATE: join(state, 'state'), DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.out += text));
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.said += text));
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** As Ctrl-C in a terminal, but to this process alone; a terminal tells its children too. */
  interrupt(): void {
    this.child.kill('SIGINT');
  }

  async exitStatus(): Promise<number | null> {
    if (!this.hasEnded) await new Promise((done) => this.child.once('close', done));
    return this.child.exitCode;
  }

  async until(condition: () => boolean): Promise<void> {
    while (!this.hasEnded && !condition()) await new Promise((done) => setTimeout(done, 5));
  }
}

/** What the smallest run measures means nothing; that it ends with a sound result in a file does. */
async function saved(name: string, ...words: readonly string[]): Promise<BenchResult> {
  const command = new Command(...words, '--save', join(state, name));
  const status = await command.exitStatus();
  expect({ status, said: command.said }).toMatchObject({ status: 0 });
  expect(command.said).not.toContain('Warning');
  expect(command.out).toContain('sound: ');
  return JSON.parse(readFileSync(join(state, name), 'utf8')) as BenchResult;
}

const spread = { p50: expect.any(Number) as number, p95: expect.any(Number) as number, p99: expect.any(Number) as number, max: expect.any(Number) as number };
const wholeResult = {
  format: 'trunkline-bench/2', refused: 0, eventsPerSecond: expect.any(Number) as number, milliseconds: { endToEnd: spread, beyondProviders: spread },
  ...(process.platform === 'linux' && { cpuMsPerEvent: { services: expect.any(Number) as number, database: expect.any(Number) as number, platform: expect.any(Number) as number }, peakMiB: { platform: expect.any(Number) as number } }),
  versions: { node: process.version, postgresql: expect.any(String) as string }, durability: { fsync: 'on', row_level_security: 'forced' }, calibration: { unitMicros: expect.any(Number) as number },
};
/** Speed and cost; memory is what it is. */
const outcomesOf = ({ targets }: BenchResult): readonly string[] => targets.filter(({ says }) => !says.startsWith('peak MiB')).map(({ outcome }) => outcome);

describe('a result in a file', () => {
  describeWithLocalKafka('on Kafka', () => {
    it('is written by light: warm-up and measurement came to their end once, and latency is not asked of so few', async () => {
      const result = await saved('light.json', 'light', '--driver', 'kafka', '--seconds', '1', '--warm-up', '1', '--rate', '10');
      const events = 1 * 100 + 1 * 10;
      expect(result).toMatchObject({ ...wholeResult, options: { scenario: 'light', driver: 'kafka', seconds: 1 }, accepted: events, finished: events, verdict: { effects: 3 * events, expectedEffects: 3 * events, lost: 0, doubled: 0, outOfOrder: 0, unfinished: 0 } });
      expect(result).toMatchObject({ milliseconds: { accept: spread, generatorLate: spread }, durability: { kafka_acks: 'all' }, versions: { kafka_client: 'kafkajs' } });
      expect(new Set(outcomesOf(result))).toEqual(new Set(['not asked']));
    });
  });

  it('is written by drain: each of the events that waited came to its end once, and speed is not asked of so few', async () => {
    const result = await saved('drain.json', 'drain', '--events', '20');
    expect(result).toMatchObject({ ...wholeResult, options: { scenario: 'drain', driver: 'postgres', events: 20 }, accepted: 20, finished: 20, verdict: { effects: 60, expectedEffects: 60, lost: 0, doubled: 0, outOfOrder: 0, unfinished: 0, parked: 0, deadLettered: 0 } });
    expect(new Set(outcomesOf(result))).toEqual(new Set(['not asked']));
  });

  it('is not set beside one of another kind: status 2, what is wrong, and what to do', async () => {
    const own = join(state, 'by-hand.json');
    writeFileSync(own, JSON.stringify({ format: 'trunkline-bench/2', options: { scenario: 'drain' }, calibration: { unitMicros: 10 } }));
    const [none, foreign] = [join(state, 'none.json'), resolve(__dirname, '..', '..', 'package.json')];
    const commands = [none, foreign].map((other) => new Command('compare', own, other));
    expect(await Promise.all(commands.map((command) => command.exitStatus()))).toEqual([2, 2]);
    const said = commands.map((command) => command.said.split('\n'));
    expect(said).toEqual([`there is no file ${none}`, `${foreign} was not written by bench --save`].map((why) => [expect.stringContaining(why), expect.stringMatching(/^→ .*--save/), '']));
  });

  it('is not wished for in a folder that is not there', async () => {
    const command = new Command('drain', '--save', join(state, 'none', 'a.json'));
    expect(await command.exitStatus()).toBe(2);
    expect(command.said).toContain('cannot be written (ENOENT)');
  });

  it('is given up by Ctrl-C while the platform starts its database: status 130, no stack, nothing left', async () => {
    const command = new Command('light');
    await command.until(() => command.said.includes('Starting the platform') && folders().some((folder) => readdirSync(folder).length > 0));
    const places = [state, ...folders().flatMap((folder) => placesToWipe(join(folder, 'pg')))];
    command.interrupt();
    expect(await command.exitStatus()).toBe(130);
    // This process may have stood still meanwhile: then it has come further, and says so.
    expect(command.said).toMatch(/^Starting the platform .*\n(?:.+\n)*\nStopping what was started.*\n$/);
    expect(command.said).not.toMatch(/^\s+at /m);
    expect([folders(), processesOf(places)]).toEqual([[], []]);
  });
});

function folders(): readonly string[] {
  const place = join(state, 'state');
  return existsSync(place) ? readdirSync(place).map((name) => join(place, name)) : [];
}

/** Command lines that name one of these places. */
function processesOf(places: readonly string[]): readonly string[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map((pid) => commandLine(pid)).filter((line) => places.some((place) => line.includes(place)));
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    // It ended between being listed and being read.
    return '';
  }
}
