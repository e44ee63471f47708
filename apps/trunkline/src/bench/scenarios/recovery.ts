import { setTimeout as wait } from 'node:timers/promises';
import { say } from '../../client/output.js';
import { demoChain } from '../../dev/seed.js';
import { startLandscape, untilReady, type Landscape } from '../landscape.js';
import { countRuns, finishTimes, untilDone } from '../ledger-figures.js';
import { publishBy, sendOpenLoop, untilTaken, type Sent } from '../load.js';
import { rounded, spreadOf, type Findings, type Outcome } from '../result.js';
import { Rows } from '../rows.js';
import type { KillTarget } from '../scenario.js';
import { evenSchedule } from '../schedule.js';
import type { BenchContext } from '../session.js';
import { addTenant, searchBounds, summaryAlone, type BenchTenant } from '../tenants.js';
import { verify } from '../verify.js';
import { endToEndMs, perSecond, spreads } from './load.js';

/** A publisher that gets no answer asks again for so long. */
const publishForMs = 60_000;
/** A killed member of a consumer group is missed only when its session ends. */
const patienceMs = 120_000;
/** What a search-first step may take: its deadline, until its effect must be there, until it can be found, and five seconds. */
const searchFirstBoundMs = Math.max(...demoChain(true).map(({ timeoutMs }) => timeoutMs)) + searchBounds.search_commit_within_ms + searchBounds.search_visible_after_ms + 5_000;

interface Bench {
  readonly context: BenchContext;
  readonly landscape: Landscape;
  readonly rows: Rows;
  /** One step that may be sent again as it is. */
  readonly upsert: Lane;
  /** The demo's chain: two steps that are looked up after a doubt. */
  readonly searchFirst: Lane;
}

interface Lane {
  readonly tenant: BenchTenant;
  readonly accepted: string[];
  readonly sinceMs: number;
}

interface Slowest {
  readonly upsert: number;
  readonly searchFirst: number;
  readonly sent: readonly Sent[];
  readonly times: ReadonlyMap<string, number>;
}

/** A steady load of both kinds, once left alone and once for each kill. */
export async function measureRecovery(context: BenchContext): Promise<Outcome> {
  const { options } = context;
  const landscape = await startLandscape(context);
  const bench: Bench = { context, landscape, rows: await Rows.read(), upsert: await upsertLane(landscape), searchFirst: await searchFirstLane(landscape) };
  say(`Warming up for ${options.warmUpS} s at ${options.warmUpRate} events/s …`);
  await underLoad(bench, options.warmUpRate, options.warmUpS, async () => undefined);
  say(`Without a kill: ${options.rate} events/s for ${options.seconds} s …`);
  const alone = await underLoad(bench, options.rate, options.seconds, async () => undefined);
  const findings: Record<string, Findings[string]> = { 'without a kill': { upsertSlowest: alone.upsert, searchFirstSlowest: alone.searchFirst } };
  for (const target of options.kill) {
    say(`kill -9 of ${target} after a third of ${options.seconds} s at ${options.rate} events/s, started again at once …`);
    findings[`kill ${target}`] = await killed(bench, target, alone);
  }
  return outcomeOf(bench, alone, findings);
}

async function killed(bench: Bench, target: KillTarget, alone: Slowest): Promise<Findings[string]> {
  const { landscape, context } = bench;
  const { seconds, rate } = context.options;
  const victims = target === 'everything' ? landscape.apps : [landscape.app(target)];
  let readyAfterMs = 0;
  let inFlight = 0;
  let killedAtMs = 0;
  const under = await underLoad(bench, rate, seconds, async () => {
    await wait((seconds / 3) * 1_000);
    inFlight = await running(bench);
    killedAtMs = Date.now();
    await Promise.all(victims.map(async (victim) => victim.kill().then(() => victim.start())));
    const startedAt = performance.now();
    await untilReady(victims);
    readyAfterMs = performance.now() - startedAt;
  });
  await untilReady(landscape.apps);
  return {
    inFlight, readyAgainMs: Math.round(readyAfterMs), nothingEndedForMs: longestGapMs(under.times, killedAtMs),
    upsertSlowest: under.upsert, upsertLonger: Math.round(under.upsert - alone.upsert),
    searchFirstSlowest: under.searchFirst, searchFirstLonger: Math.round(under.searchFirst - alone.searchFirst), searchFirstBound: searchFirstBoundMs, searchFirstPastBound: Math.max(0, Math.round(under.searchFirst - alone.searchFirst - searchFirstBoundMs)),
  };
}

/** Half of the load each kind; resolves once all of it has ended. */
async function underLoad(bench: Bench, rate: number, seconds: number, meanwhile: () => Promise<void>): Promise<Slowest> {
  const { landscape, rows } = bench;
  const lanes = [bench.upsert, bench.searchFirst] as const;
  const sinceMs = Date.now();
  const schedule = evenSchedule(rate / lanes.length, 1, seconds);
  const sending = lanes.map(async (lane) => {
    const sent = await sendOpenLoop(untilTaken(publishBy(landscape.api, () => lane.tenant.apiKey), publishForMs), schedule, 1, rows.take(schedule.requests));
    lane.accepted.push(...sent.runIds);
    return sent;
  });
  const [sent] = await Promise.all([Promise.all(sending), meanwhile()]);
  await untilDone(landscape.databases, allOf(bench), bench.upsert.accepted.length + bench.searchFirst.accepted.length, patienceMs);
  const times = await finishTimes(landscape.databases, { organisationIds: organisationIds(bench), sinceMs });
  const [upsert = 0, searchFirst = 0] = sent.map((each) => spreadOf(endToEndMs(each, times)).max ?? 0);
  return { upsert, searchFirst, sent, times };
}

async function running(bench: Bench): Promise<number> {
  return countRuns(bench.landscape.databases, allOf(bench), 'running');
}

function organisationIds({ upsert, searchFirst }: Bench): readonly string[] {
  return [upsert.tenant.organisationId, searchFirst.tenant.organisationId];
}

function allOf(bench: Bench): { readonly organisationIds: readonly string[]; readonly sinceMs: number } {
  return { organisationIds: organisationIds(bench), sinceMs: bench.upsert.sinceMs };
}

/** How long after the kill no run at all came to an end, at the longest. */
function longestGapMs(times: ReadonlyMap<string, number>, fromMs: number): number {
  const ends = [fromMs, ...[...times.values()].filter((at) => at > fromMs).toSorted((one, other) => one - other)];
  return Math.round(ends.slice(1).reduce((longest, at, index) => Math.max(longest, at - (ends[index] ?? at)), 0));
}

async function upsertLane({ databases, vault, simulators }: Landscape): Promise<Lane> {
  return { tenant: await addTenant({ databases, vault, name: 'Upserts', providers: simulators, chains: (demo) => ({ '': summaryAlone(demo) }) }), accepted: [], sinceMs: Date.now() };
}

async function searchFirstLane({ databases, vault, simulators }: Landscape): Promise<Lane> {
  return { tenant: await addTenant({ databases, vault, name: 'Searches first', providers: simulators }), accepted: [], sinceMs: Date.now() };
}

async function outcomeOf(bench: Bench, alone: Slowest, findings: Findings): Promise<Outcome> {
  const { landscape, upsert, searchFirst, context } = bench;
  const accepted = upsert.accepted.length + searchFirst.accepted.length;
  const finished = await countRuns(landscape.databases, allOf(bench), 'done');
  const claims = [upsert, searchFirst].map((lane) => ({ organisationId: lane.tenant.organisationId, accepted: lane.accepted, sinceMs: lane.sinceMs, ...(lane === upsert ? { effectsPerEvent: 1 } : {}) }));
  const verdict = await verify({ databases: landscape.databases, simulators: landscape.simulators, claims, finished });
  const [, chain] = alone.sent;
  if (chain === undefined) throw new Error('nothing was measured');
  return {
    accepted, refused: 0, finished, providerCallsPerEvent: null, cpuMsPerEvent: null, peakMiB: null,
    eventsPerSecond: rounded(perSecond(alone.sent.reduce((sum, { runIds }) => sum + runIds.length, 0), chain, alone.times)) ?? 0,
    milliseconds: spreads(chain, endToEndMs(chain, alone.times), 4 * context.options.latencyMs), findings, verdict,
  };
}
