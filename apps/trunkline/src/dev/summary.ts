import { setTimeout as wait } from 'node:timers/promises';
import { readJournal } from '@trunkline/simulators';
import { say, write } from '../client/output.js';
import type { LedgerView } from './ledger-view.js';
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
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly eventsPerSecond: number | null;
}

/** Waits until every accepted event has a run and no step is waiting, ready, sent, deferred or unknown; says how far it is each second. */
export async function untilAllEnded(view: LedgerView, replayed: Replayed, signal: AbortSignal): Promise<void> {
  const runIds = [...replayed.runIds.values()];
  let saidAt = performance.now();
  for (;;) {
    const planned = await view.countRuns(runIds);
    const { unended, states } = await view.standing();
    if ((planned === runIds.length && unended === 0) || signal.aborted) return;
    if (performance.now() - saidAt > 1000) {
      saidAt = performance.now();
      const done = await view.countRuns(runIds, 'done');
      say(`${done} of ${runIds.length} done${Object.entries(states).map(([state, count]) => ` · ${count} steps ${state}`).join('')}`);
    }
    await wait(100);
  }
}

/** Reads ledger and journals and holds one against the other. */
export async function summarise(view: LedgerView, simulators: readonly RunningSimulator[], replayed: Replayed): Promise<{ summary: ReplaySummary; verdict: Verdict }> {
  const runIds = [...replayed.runIds.values()];
  const [steps, durationsMs, { states }, missing, done, lastAtMs] = await Promise.all([view.steps((stepId) => stepId), view.durationsMs(runIds), view.standing(), view.missing(runIds), view.countRuns(runIds, 'done'), view.lastFinishedAtMs(runIds)]);
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
    // Rows that were done before this replay say nothing about its speed.
    eventsPerSecond: seconds > 0 ? Math.round((replayed.accepted / seconds) * 10) / 10 : null,
  };
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
  write(`accepted to done: p50 ${p50Ms ?? '–'} ms, p95 ${p95Ms ?? '–'} ms · ${eventsPerSecond ?? '–'} events/s from the first request to the last effect`);
  if (parked > 0) write('See what is parked, and why: npx --no trunkline runs list --state parked');
  if (deadLettered > 0) write('See what is dead-lettered, and why: npx --no trunkline dead-letters list');
}
