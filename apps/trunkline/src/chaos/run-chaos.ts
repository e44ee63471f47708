import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { openEventLog } from '@trunkline/service';
import { openDatabases, type Databases } from '@trunkline/storage';
import { brokerSays, brokerVersions, databaseSays, hardware, ownVersions } from '../bench/surroundings.js';
import { exitCodes } from '../client/failure.js';
import { say, write } from '../client/output.js';
import { readServiceRequests, toEvent, type ContactEvent } from '../feed/service-request.js';
import { Landscape } from '../processes/landscape.js';
import { check } from './checker/check.js';
import { fullestWindows } from './checker/limits.js';
import type { Evidence, OffsetSample } from './checker/evidence.js';
import { invariants, type Finding } from './checker/verdict.js';
import { gather } from './evidence/gather.js';
import { sampleOffsets } from './evidence/log.js';
import { historyOf } from './history.js';
import { Interventions } from './interventions.js';
import { LedgerClient } from './ledger-client.js';
import { Load } from './load.js';
import type { ChaosOptions } from './options.js';
import { ChaosPlatform, ownRoot } from './platform.js';
import { isGood, resultOf, type ChaosResult, type Surroundings } from './result.js';
import { drawSchedule, inWords, type Happening } from './schedule.js';
import { Watch, whyStuck } from './watch.js';

const shownHistories = 3;

/** One rehearsal from an empty folder to a verdict. Answers with the exit status. */
export async function runChaos(options: ChaosOptions): Promise<number> {
  const schedule = options.scheduleFile === undefined ? drawSchedule(options) : (JSON.parse(readFileSync(options.scheduleFile, 'utf8')) as readonly Happening[]);
  if (options.json !== undefined) writeFileSync(options.json, '');
  const stopping = new AbortController();
  const landscape = await Landscape.prepare({ driver: options.driver, postgresSettings: ['track_commit_timestamp=on', 'max_connections=300'], ...(options.keep !== undefined && { folder: options.keep }) });
  const release = stopOnSignal(stopping, landscape);
  try {
    say(`Seed ${options.seed}; the schedule:`);
    for (const happening of schedule) say(inWords(happening));
    if (options.keep !== undefined) writeFileSync(join(landscape.folder, 'schedule.json'), JSON.stringify(schedule, null, 1));
    say(`Starting every app as a process of its own, PostgreSQL${options.driver === 'kafka' ? ' and Kafka' : ''} …`);
    const starting = ChaosPlatform.start(landscape, options);
    const platform = await Promise.race([starting, aborted(stopping.signal)]);
    const result = platform === null ? null : await rehearse(platform, options, schedule, stopping.signal);
    if (result === null) return exitCodes.interrupted;
    return isGood(result) ? 0 : exitCodes.failed;
  } finally {
    await landscape.end();
    release();
  }
}

/** Ctrl-C ends every process and removes what was made; twice kills them. A terminal that is closed counts as the first. */
function stopOnSignal(stopping: AbortController, landscape: Landscape): () => void {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const interrupt = (): void => {
    if (stopping.signal.aborted) {
      landscape.killAll();
      process.exit(exitCodes.interrupted);
    }
    say('\nStopping: ending every process and removing what was made (Ctrl-C again kills them) …');
    stopping.abort();
  };
  for (const signal of signals) process.on(signal, interrupt);
  return () => {
    for (const signal of signals) process.off(signal, interrupt);
  };
}

async function rehearse(platform: ChaosPlatform, options: ChaosOptions, schedule: readonly Happening[], signal: AbortSignal): Promise<ChaosResult | null> {
  const startedMs = performance.now();
  const since = (fromMs: number): number => Math.round((performance.now() - fromMs) / 100) / 10;
  const { landscape } = platform;
  const ledger = new LedgerClient(landscape.databaseUrl);
  const databases = openDatabases(landscape.databaseUrl);
  const log = openEventLog('chaos', { databaseUrl: landscape.databaseUrl, kafkaBrokers: landscape.brokers === '' ? [] : landscape.brokers.split(',') }, { databases, logger: { warn: () => undefined } });
  const watch = new Watch(ledger);
  const samples: OffsetSample[] = [];
  let isSampling = true;
  const sampling = (async () => {
    for (; isSampling; await wait(500)) await sampleOffsets(log, (sample) => samples.push(sample));
  })();
  try {
    const surroundings = await surroundingsOf(landscape, databases);
    const load = new Load({ gatewayUrl: platform.gatewayUrl, councils: platform.councils, rows: await allRows(), events: options.events, rate: options.rate, signal });
    let isLoadOver = false;
    const inFlight = (): number => load.accepted.length - (watch.standing.planned - watch.standing.running);
    const interventions = new Interventions({ platform, schedule, inFlightWished: options.inFlight, signal, inFlight, lookAgain: () => watch.read(), hurry: (events) => load.hurry(events), isLoadOver: () => isLoadOver });
    const progress = new Progress(() => `${load.accepted.length} accepted of ${options.events}, ${inFlight()} in flight, ${watch.standing.planned - watch.standing.running} ended, ${interventions.countedKills} kills${interventions.current.length === 0 ? '' : `; now: ${interventions.current.join(', ')}`}`);
    const watching = watch.run(() => progress.show());
    const loading = load.run().then(() => void (isLoadOver = true));
    await Promise.all([loading, interventions.run()]);
    const loadS = since(startedMs);
    const drainFromMs = performance.now();
    const isDrained = !signal.aborted && (await drain(watch, load.accepted.length, options.drainMs, signal));
    const drainS = since(drainFromMs);
    watch.stop();
    await watching;
    progress.end();
    if (signal.aborted) return null;
    const troubles = [...interventions.troubles, ...landscape.services.filter(({ hasEnded }) => hasEnded).map(({ name, output }) => `${name} ended by itself: ${output.slice(-300)}`)];
    if (!isDrained) {
      await tellStuck(ledger, landscape);
      await bringToRest(landscape);
    }
    isSampling = false;
    await sampling;
    const checkFromMs = performance.now();
    const evidence = await gather(platform, log, { accepted: load.accepted, samples, pauses: interventions.pauses }, (line) => progress.note(line));
    const findings = check(evidence);
    progress.end();
    const seconds = { load: loadS, drain: drainS, check: since(checkFromMs), all: since(startedMs) };
    const result = resultOf({ options, schedule, interventions, windows: fullestWindows(evidence.calls), surroundings, accepted: load.accepted.length, repeats: load.repeats, refusals: load.refusals, ended: watch.standing.planned - watch.standing.running, isDrained, seconds, findings, troubles });
    tell(result, findings, evidence, interventions);
    if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(result, null, 1)}\n`);
    return result;
  } finally {
    isSampling = false;
    watch.stop();
    await sampling;
    // The verdict is told; what the killed servers left of these connections ends with the process.
    await log.close().catch(() => undefined);
    await databases.close().catch(() => undefined);
  }
}

/** Asked before the first blow. */
async function surroundingsOf({ folder, brokers }: Landscape, databases: Databases): Promise<Surroundings> {
  const addresses = brokers === '' ? null : brokers.split(',');
  const { version, durability } = await databaseSays(databases);
  return { versions: { ...ownVersions(), postgresql: version, ...brokerVersions(folder, addresses) }, hardware: hardware(), durability: { ...durability, ...brokerSays(folder, addresses) } };
}

/** True once every accepted event has a run and none is under way. */
async function drain(watch: Watch, accepted: number, patienceMs: number, signal: AbortSignal): Promise<boolean> {
  for (const giveUpAt = performance.now() + patienceMs; performance.now() < giveUpAt && !signal.aborted; await wait(300)) {
    const now = await watch.read();
    if (now !== null && now.running === 0 && now.planned >= accepted) return true;
  }
  return false;
}

async function tellStuck(ledger: LedgerClient, landscape: Landscape): Promise<void> {
  say(landscape.lastWords());
  write('Not everything came to an end in time. What is held up:');
  for (const line of await whyStuck(ledger).catch((error: unknown) => [String(error)])) write(`  ${line}`);
  for (const line of await Promise.all(landscape.services.map((service) => service.inBrief()))) write(`  ${line}`);
}

/** What still moved would go on filling the log while it is read, and stand differently there than in the ledger. The gateway stays: it is asked what it shows. */
async function bringToRest(landscape: Landscape): Promise<void> {
  const movers = landscape.services.filter(({ name }) => /ledger|worker/.test(name));
  await Promise.allSettled(movers.map((service) => service.stop(10_000)));
}

function tell(result: ChaosResult, findings: readonly Finding[], evidence: Evidence, interventions: Interventions): void {
  write(`Seed ${result.seed}, ${result.driver}: ${result.accepted} of ${result.events} events accepted (${result.repeats} sent again), ${result.killsCounted} kills that count of ${result.kills}, ${result.freezes} freezes, ${result.restarts} restarts, ${result.providerFaults} provider faults, ${result.pauses} pauses; load ${result.seconds.load} s, drain ${result.seconds.drain} s, check ${result.seconds.check} s`);
  for (const { invariant, checked, note, breaches } of findings) write(`${breaches.length === 0 ? '✓' : '✗'} ${invariant} ${invariants[invariant]}: ${checked} checked, ${breaches.length} broken (${note})`);
  if (result.skipped > 0) write(`${result.skipped} kills were left out: too little was in flight`);
  if (result.providerFaultsLeftOut > 0) write(`${result.providerFaultsLeftOut} provider faults were left out: their simulator was down just then`);
  for (const line of result.refusals) write(`refused for good: ${line}`);
  for (const line of result.troubles) write(`trouble: ${line}`);
  for (const breach of findings.flatMap(({ breaches }) => breaches.slice(0, shownHistories))) {
    write(`\n${breach.invariant} BROKEN: ${breach.says}`);
    for (const line of historyOf(breach, evidence, interventions.done)) write(line);
  }
}

async function allRows(): Promise<readonly ContactEvent[]> {
  const rows: ContactEvent[] = [];
  for await (const row of readServiceRequests(join(ownRoot, 'apps', 'trunkline', 'data', 'service-requests.csv'), () => undefined)) rows.push(toEvent(row, '/rehearsal'));
  return rows;
}

function aborted(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(null), { once: true }));
}

/** One line that is written over on a terminal, and now and then a new one elsewhere. */
class Progress {
  private shownAtMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly line: () => string) {}

  show(): void {
    this.note(this.line());
  }

  note(line: string): void {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K${line}`);
    else if (performance.now() - this.shownAtMs > 5_000) {
      this.shownAtMs = performance.now();
      say(line);
    }
  }

  end(): void {
    if (process.stderr.isTTY) process.stderr.write('\n');
  }
}
