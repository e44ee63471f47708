import type { BenchResult } from '../bench/result.js';
import type { FullestWindow } from './checker/limits.js';
import type { Finding } from './checker/verdict.js';
import type { Interventions } from './interventions.js';
import type { ChaosOptions } from './options.js';
import type { Happening } from './schedule.js';

/** What it ran on, in the words of `trunkline bench`. */
export type Surroundings = Pick<BenchResult, 'versions' | 'hardware' | 'durability'>;

/** What one rehearsal came to; written by `--json`. */
export interface ChaosResult extends Surroundings {
  readonly format: 'trunkline-chaos/1';
  readonly at: string;
  readonly seed: number;
  readonly driver: string;
  readonly events: number;
  readonly rate: number;
  readonly accepted: number;
  readonly repeats: number;
  readonly ended: number;
  readonly kills: number;
  readonly killsCounted: number;
  readonly killsByTarget: Readonly<Record<string, number>>;
  readonly freezes: number;
  readonly restarts: number;
  /** That their simulators took. */
  readonly providerFaults: number;
  /** That fell on a simulator just then killed or frozen. */
  readonly providerFaultsLeftOut: number;
  /** That the gateway confirmed. */
  readonly pauses: number;
  readonly skipped: number;
  readonly seconds: { readonly load: number; readonly drain: number; readonly check: number; readonly all: number };
  readonly findings: readonly { readonly invariant: string; readonly checked: number; readonly breaches: number; readonly note: string; readonly examples: readonly string[] }[];
  /** How far each limit was used; one that was never nearly reached has not been put to the test. */
  readonly limits: readonly { readonly provider: string; readonly calls: number; readonly windowMs: number; readonly most: number; readonly isTested: boolean }[];
  readonly drained: boolean;
  readonly refusals: readonly string[];
  readonly troubles: readonly string[];
  readonly schedule: readonly Happening[];
}

export interface Outcome {
  readonly options: ChaosOptions;
  readonly schedule: readonly Happening[];
  readonly interventions: Interventions;
  readonly accepted: number;
  readonly repeats: number;
  readonly refusals: readonly string[];
  readonly ended: number;
  readonly isDrained: boolean;
  readonly seconds: ChaosResult['seconds'];
  readonly findings: readonly Finding[];
  readonly windows: readonly FullestWindow[];
  readonly surroundings: Surroundings;
  readonly troubles: readonly string[];
}

export function resultOf({ options, schedule, interventions, findings, windows, surroundings, seconds, ...counted }: Outcome): ChaosResult {
  const done = interventions.done;
  const kills = done.filter(({ kind }) => kind === 'kill');
  return {
    format: 'trunkline-chaos/1',
    at: new Date().toISOString(),
    ...surroundings,
    seed: options.seed,
    driver: options.driver,
    events: options.events,
    rate: options.rate,
    accepted: counted.accepted,
    repeats: counted.repeats,
    ended: counted.ended,
    kills: kills.length,
    killsCounted: interventions.countedKills,
    killsByTarget: Object.fromEntries([...Map.groupBy(kills, ({ target }) => target)].map(([target, same]) => [target, same.length])),
    freezes: done.filter(({ kind }) => kind === 'freeze').length,
    restarts: done.filter(({ kind }) => kind === 'restart').length,
    providerFaults: interventions.providerFaults.taken,
    providerFaultsLeftOut: interventions.providerFaults.leftOut,
    pauses: interventions.pauses.length,
    skipped: interventions.skipped.length,
    seconds,
    findings: findings.map(({ invariant, checked, note, breaches }) => ({ invariant, checked, note, breaches: breaches.length, examples: breaches.slice(0, 5).map(({ says }) => says) })),
    limits: windows.map(({ provider, limit: calls, windowMs, most, isTested }) => ({ provider, calls, windowMs, most, isTested })),
    drained: counted.isDrained,
    refusals: counted.refusals.slice(0, 20),
    troubles: counted.troubles,
    schedule,
  };
}

/** Everything looked at, nothing broken, nothing stuck, nothing refused, and no process gave up by itself. */
export function isGood(result: ChaosResult): boolean {
  return result.drained && result.findings.every(({ checked }) => checked > 0) && result.refusals.length === 0 && result.troubles.length === 0 && result.accepted === result.events && result.findings.every(({ breaches }) => breaches === 0);
}
