import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { readJournal } from '@trunkline/simulators';
import { councilProviders } from '../../support/council.js';
import { effectsIn, judge } from '../../support/effects.js';
import { GatewayClient } from '../../support/gateway-client.js';
import { LedgerReader } from '../../support/ledger-reader.js';
import { Platform } from '../../support/platform.js';
import { councilEvent } from '../../support/service-requests.js';
import { until } from '../../support/until.js';
import { childrenOf, ownMemoryOfDatabaseMiB, residentMiB } from '../memory.js';
import { tellFigure } from '../figures.js';
import { LiveHeap } from '../live-heap.js';
import { slopePerMinute, type Sample } from '../slope.js';

const minutes = Number(process.env['SOAK_MINUTES'] ?? 30);
const warmUpMinutes = minutes / 3;
const eventsPerSecond = Number(process.env['SOAK_RATE'] ?? 20);
const sampleEveryMs = 5_000;
const subjects = 500;
const allowedMiBPerMinute = 1;
const heapOfAllInOne = 'live heap of the all-in-one';
/** A full collection stops the process for a moment. */
const samplesPerHeap = 12;

jest.setTimeout((minutes + 5) * 60_000);

interface DevFile {
  readonly gateway: string;
  readonly apiKey: string;
  readonly databaseUrl: string;
}

/** Reads the memory of every process of the platform again and again. */
class Watch {
  readonly samples = new Map<string, Sample[]>();

  private taken = 0;

  constructor(
    private readonly folder: string,
    private readonly heap: LiveHeap,
  ) {}

  async take(): Promise<void> {
    const state = join(this.folder, 'state');
    const platform = pidIn(join(state, 'platform.pid'));
    const atMs = performance.now();
    const note = (name: string, value: number): void => void this.samples.set(name, [...(this.samples.get(name) ?? []), { atMs, value }]);
    note('all-in-one', residentMiB(platform));
    if (this.taken % samplesPerHeap === 0) note(heapOfAllInOne, await this.heap.usedMiB());
    this.taken += 1;
    for (const pid of childrenOf(platform)) {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      const simulated = words[words.indexOf('sim') + 1];
      if (words.includes('sim')) note(`simulator ${simulated}`, residentMiB(pid));
      else if (words[0]?.includes('postgres') === true) note('database (own memory of its mean process)', ownMemoryOfDatabaseMiB(pid));
    }
  }

  slopes(): readonly { readonly name: string; readonly firstMiB: number; readonly lastMiB: number; readonly slope: number }[] {
    return [...this.samples].map(([name, all]) => {
      const begun = all[0]?.atMs ?? 0;
      const samples = all.filter(({ atMs }) => atMs - begun >= warmUpMinutes * 60_000);
      return { name, firstMiB: samples[0]?.value ?? Number.NaN, lastMiB: samples.at(-1)?.value ?? Number.NaN, slope: slopePerMinute(samples) };
    });
  }
}

describe(`soak: ${minutes} minutes at ${eventsPerSecond} events/s`, () => {
  const platform = new Platform();
  afterAll(() => platform.remove());

  it(`no process grows by ${allowedMiBPerMinute} MiB a minute, nothing is lost and nothing doubled`, async () => {
    // One row replayed lifts the providers' limits; the platform then stays open.
    platform.start(['--replay', '1']);
    await platform.until(() => platform.output.includes('The platform stays open'), 'the platform');
    const dev = JSON.parse(readFileSync(join(platform.folder, 'state', 'dev.json'), 'utf8')) as DevFile;
    const client = new GatewayClient(dev.gateway, dev.apiKey);
    const heap = await LiveHeap.of(pidIn(join(platform.folder, 'state', 'platform.pid')), () => platform.output);
    const watch = new Watch(platform.folder, heap);
    const beganAt = performance.now();
    const posts: Promise<unknown>[] = [];
    const failures: string[] = [];
    let sent = 0;
    let samples = 0;
    while (performance.now() - beganAt < minutes * 60_000) {
      const dueAt = beganAt + (sent * 1000) / eventsPerSecond;
      if (performance.now() < dueAt) await wait(dueAt - performance.now());
      posts.push(client.publishSurely([councilEvent(`soak-${sent}`, { subject: `place ${sent % subjects}` })]).then(() => true, (error: unknown) => failures.push(String(error))));
      sent += 1;
      if (posts.length >= 200) await Promise.all(posts.splice(0));
      if (performance.now() - beganAt >= samples * sampleEveryMs) {
        await watch.take();
        samples += 1;
        if (process.env['SOAK_TRACE'] !== undefined) writeFileSync(process.env['SOAK_TRACE'], JSON.stringify({ sent, failures, minutes: (performance.now() - beganAt) / 60_000, slopes: watch.slopes(), all: [...watch.samples].map(([name, list]) => [name, list.filter((_, index) => index % 12 === 0).map(({ value }) => Math.round(value))]) }, null, 1));
      }
    }
    await Promise.all(posts);
    heap.close();
    expect(failures).toEqual([]);
    const reader = new LedgerReader(dev.databaseUrl);
    await until('all runs done', async () => (await reader.count('done')) === sent + 1, 60_000, 500);
    const journals = await Promise.all(councilProviders.map(async (name) => effectsIn(name, await readJournal(join(platform.folder, 'state', 'simulators', name)))));
    const effects = journals.flat().filter(({ eventId }) => eventId.startsWith('soak-'));
    const verdict = judge(effects, { eventIds: Array.from({ length: sent }, (_, index) => `soak-${index}`), providers: councilProviders });
    const slopes = watch.slopes();
    const lines = slopes.map(({ name, firstMiB, lastMiB, slope }) => `${name}: ${firstMiB.toFixed(0)} → ${lastMiB.toFixed(0)} MiB, ${slope.toFixed(3)} MiB/min`);
    for (const line of lines) tellFigure(`soak, ${minutes} min at ${eventsPerSecond} events/s`, line);
    process.stderr.write(`soak, ${minutes} minutes (the first ${warmUpMinutes.toFixed(0)} are warm-up), ${sent} events:\n${lines.join('\n')}\n${verdict.effects} effects, ${verdict.lost.length} lost, ${verdict.doubled.length} doubled\n`);
    expect(verdict).toEqual({ effects: 3 * sent, lost: [], doubled: [], outOfOrder: [] });
    // The simulators keep every record they were given: that is what they are for.
    expect(slopes.filter(({ name, slope }) => !name.startsWith('simulator') && !(slope < allowedMiBPerMinute))).toEqual([]);
  });
});

function pidIn(file: string): number {
  return Number.parseInt(readFileSync(file, 'utf8'), 10);
}
