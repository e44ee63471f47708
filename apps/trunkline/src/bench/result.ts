import { percentile } from '../dev/percentile.js';
import type { Calibration } from './calibration.js';
import type { Share } from './process-figures.js';
import type { BenchOptions } from './scenario.js';

export interface Spread {
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  readonly max: number | null;
}

/** What only one scenario has to say: a line each, with its figures by name. */
export type Findings = Readonly<Record<string, Readonly<Record<string, number | string | null>>>>;

export interface Verdict {
  readonly effects: number;
  readonly expectedEffects: number;
  readonly lost: number;
  readonly doubled: number;
  readonly outOfOrder: number;
  readonly parked: number;
  readonly deadLettered: number;
  readonly unfinished: number;
}

/** What a scenario measures. */
export interface Outcome {
  readonly accepted: number;
  readonly refused: number;
  readonly finished: number;
  readonly eventsPerSecond: number;
  readonly providerCallsPerEvent: number | null;
  readonly milliseconds: {
    /** From when a request was due to its 202. */
    readonly accept: Spread;
    /** From when an event was due to the end of its last step; in `drain` from when the backlog was opened. */
    readonly endToEnd: Spread;
    /** The same without the set latency of the provider calls. */
    readonly beyondProviders: Spread;
    /** How late the generator itself was. */
    readonly generatorLate: Spread;
  };
  readonly cpuMsPerEvent: (Readonly<Record<Share, number>> & { readonly platform: number }) | null;
  readonly peakMiB: (Readonly<Record<Share, number>> & { readonly platform: number }) | null;
  readonly findings: Findings;
  readonly verdict: Verdict;
}

/** A target beside what was measured. */
export interface TargetOutcome {
  readonly says: string;
  readonly wanted: string;
  readonly measured: number | null;
  /** `not asked`: the run was too small to answer; `not known`: the figure could not be read here. */
  readonly outcome: 'met' | 'missed' | 'not asked' | 'not known';
  readonly because?: string;
}

/** One run of one scenario; what `--save` writes and `bench compare` reads. */
export interface BenchResult extends Outcome {
  readonly format: 'trunkline-bench/2';
  readonly at: string;
  readonly options: Omit<BenchOptions, 'says' | 'output' | 'save' | 'profile' | 'kafka'>;
  readonly versions: Readonly<Record<string, string>>;
  readonly hardware: { readonly processor: string; readonly cores: number; readonly memoryMiB: number; readonly system: string; readonly loadAverageBefore: number };
  readonly durability: Readonly<Record<string, string>>;
  readonly calibration: Calibration;
  readonly targets: readonly TargetOutcome[];
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((one, other) => one - other);
  const at = (share: number): number | null => rounded(percentile(sorted, share));
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
}

export function rounded(value: number | null, digits = 1): number | null {
  return value === null ? null : Math.round(value * 10 ** digits) / 10 ** digits;
}

/** Rounded to two digits behind the point; null where there is nothing to divide by. */
export function ratioOf(value: number | null, by: number | null): number | null {
  return value === null || by === null || by === 0 ? null : rounded(value / by, 2);
}

export function isSound({ verdict, refused }: Pick<BenchResult, 'verdict' | 'refused'>): boolean {
  return verdict.lost === 0 && verdict.doubled === 0 && verdict.outOfOrder === 0 && verdict.unfinished === 0 && verdict.effects === verdict.expectedEffects && refused === 0;
}
