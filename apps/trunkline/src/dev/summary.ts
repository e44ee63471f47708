import { setTimeout as wait } from 'node:timers/promises';
import { readJournal } from '@trunkline/simulators';
import { say, write } from '../client/output.js';
import type { LedgerView } from './ledger-view.js';
import { whenDatabaseAnswers } from './patience.js';
import { percentile } from './percentile.js';
import type { Replayed } from './replay.js';
import { demoProviders } from './seed.js';
import type { RunningSimulator } from './simulators.js';
import { judge, type Verdict } from './verdict.js';

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
  /** From acceptance to the end, of the events that were new; null when none was. */
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  /** Of the events that were new, from the first request to the last effect; 0 when none was. */
  readonly eventsPerSecond: number;
}

/** The database's clock may be a little behind ours. */
const clockSlackMs = 1_000;

/** Waits until every accepted event has a run and no step is waiting, ready, sent, deferred or unknown; says how far it is each second. */
export async function untilAllEnded(view: LedgerView, replayed: Replayed, signal: AbortSignal): Promise<void> {
  const runIds = [...replayed.runIds.values()];
  let saidAt = performance.now();
  for (;;) {
    const [planned, { unended, states }] = await whenDatabaseAnswers(() => Promise.all([view.countRuns(runIds), view.standing()]), signal);
    if ((planned === runIds.length && unended === 0) || signal.aborted) return;
    if (performance.now() - saidAt > 1000) {
      saidAt = performance.now();
      const done = await whenDatabaseAnswers(() => view.countRuns(runIds, 'done'), signal);
      say(`${done} of ${runIds.length} done${Object.entries(states).map(([state, count]) => ` · ${count} steps ${state}`).join('')}`);
    }
    await wait(100);
  }
}

/** Reads ledger and journals and holds one against the other. */
export async function summarise(view: LedgerView, simulators: readonly RunningSimulator[], replayed: Replayed): Promise<{ summary: ReplaySummary; verdict: Verdict }> {
  const runIds = [...replayed.runIds.values()];
  const newRunIds = await view.newRuns(runIds, new Date(replayed.startedAtMs - clockSlackMs));
  const [steps, durationsMs, states, missing, done, lastAtMs] = await Promise.all([view.steps(), view.durationsMs(newRunIds), view.stepStates(runIds), view.missing(runIds), view.countRuns(runIds, 'done'), view.lastFinishedAtMs(newRunIds)]);
  const journals = Object.fromEntries(await Promise.all(simulators.map(async ({ provider, dataDir }) => [provider, await readJournal(dataDir)] as const)));
  const verdict = judge(journals, steps, demoProviders, missing);
  const seconds = lastAtMs === null ? 0 : (lastAtMs - replayed.startedAtMs) / 1000;
  const summary: ReplaySummary = {
    accepted: replayed.accepted,
    done,
    deferred: states.deferred ?? 0,
    parked: states.parked ?? 0,
    deadLettered: states['dead-lettered'] ?? 0,
    effects: verdict.effects,
    lost: verdict.lost.length,
    duplicates: verdict.duplicates.length,
    outOfOrder: verdict.outOfOrder.length,
    p50Ms: percentile(durationsMs, 0.5),
    p95Ms: percentile(durationsMs, 0.95),
    eventsPerSecond: seconds > 0 ? Math.round((newRunIds.length / seconds) * 10) / 10 : 0,
  };
  const repeated = replayed.accepted - newRunIds.length;
  if (repeated > 0) say(`${repeated} of these rows had been published before: they got their old receipts, and nothing was done for them again. Times and rate are of the ${newRunIds.length} new ones.`);
  return { summary, verdict };
}

export function isClean({ lost, duplicates, outOfOrder }: ReplaySummary): boolean {
  return lost === 0 && duplicates === 0 && outOfOrder === 0;
}

export function tell({ summary, verdict }: { summary: ReplaySummary; verdict: Verdict }, output: 'table' | 'json'): void {
  for (const [word, problems] of [['lost', verdict.lost], ['doubled', verdict.duplicates], ['out of order', verdict.outOfOrder]] as const) {
    for (const problem of problems.slice(0, 10)) say(`${word}: ${problem}`);
    if (problems.length > 10) say(`… and ${problems.length - 10} more ${word}`);
  }
  if (output === 'json') return write(JSON.stringify(summary));
  const { accepted, done, deferred, parked, deadLettered, effects, lost, duplicates, outOfOrder, p50Ms, p95Ms, eventsPerSecond } = summary;
  write(`\n${accepted} events accepted, ${done} done, ${deferred} steps deferred, ${parked} parked, ${deadLettered} dead-lettered`);
  write(`${effects} effects in the providers' journals over their whole life: ${lost} lost, ${duplicates} doubled, ${outOfOrder} out of order`);
  write(`accepted to done: p50 ${p50Ms ?? '–'} ms, p95 ${p95Ms ?? '–'} ms · ${eventsPerSecond} events/s from the first request to the last effect`);
  if (parked > 0) write('See what is parked, and why: npx --no trunkline runs list --state parked');
  if (deadLettered > 0) write('See what is dead-lettered, and why: npx --no trunkline dead-letters list');
}
