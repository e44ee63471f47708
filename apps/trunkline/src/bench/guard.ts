import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { exitCodes, OutcomeFailed } from '../client/failure.js';
import { say, write } from '../client/output.js';
import { isSound, type BenchResult } from './result.js';
import { takeResult } from './run-bench.js';
import { killTargets, scenarios, type BenchOptions } from './scenario.js';

/** What an event cost when somebody last decided that this is what it may cost. */
export interface Baseline {
  readonly driver: BenchOptions['driver'];
  readonly events: number;
  /** Processor time of an event as a multiple of one unit of the calibration loop, so that machines can be compared. */
  readonly unitsPerEvent: number;
  /** How far above it a run may be; larger than what single runs differ by. */
  readonly margin: number;
}

export interface GuardWords {
  readonly runs: number;
  readonly write: boolean;
}

const baselineFile = fileURLToPath(new URL('../../data/bench-baseline.json', import.meta.url));

/** Measures what an event costs now, a few times, and fails when the median is too far above the baseline in the repository. */
export async function runGuard({ runs, write: isToBeWritten }: GuardWords): Promise<number> {
  const baseline = JSON.parse(readFileSync(baselineFile, 'utf8')) as Baseline;
  const measured: number[] = [];
  for (let run = 1; run <= runs; run += 1) {
    const result = await takeResult(optionsOf(baseline));
    if (!isSound(result)) throw OutcomeFailed.because(`a run was not sound: ${JSON.stringify(result.verdict)}`);
    measured.push(unitsOf(result));
    say(`Run ${run} of ${runs}: ${result.cpuMsPerEvent?.platform ?? '–'} ms, ${Math.round(measured.at(-1) ?? 0)} units per event`);
  }
  const judged = judgeCost(measured, baseline);
  if (isToBeWritten) writeFileSync(baselineFile, `${JSON.stringify({ ...baseline, unitsPerEvent: judged.median }, null, 2)}\n`);
  write(`${judged.median} units of the calibration loop per event (${measured.map(Math.round).join(', ')}), the baseline is ${baseline.unitsPerEvent}: ${judged.ratio} times, allowed ${1 + baseline.margin}`);
  if (judged.isWithin || isToBeWritten) return 0;
  say('→ Run it again when nothing else runs. If it stays, profile with `npx --no trunkline bench drain --profile profiles`; if the cost is meant, `bench guard --write` and commit the baseline.');
  return exitCodes.failed;
}

export function unitsOf({ cpuMsPerEvent, calibration }: Pick<BenchResult, 'cpuMsPerEvent' | 'calibration'>): number {
  if (cpuMsPerEvent === null) throw OutcomeFailed.because('processor time cannot be read here: it is known on Linux only, from /proc');
  return (cpuMsPerEvent.platform * 1_000) / calibration.unitMicros;
}

export function judgeCost(measured: readonly number[], { unitsPerEvent, margin }: Pick<Baseline, 'unitsPerEvent' | 'margin'>): { readonly median: number; readonly ratio: number; readonly isWithin: boolean } {
  const sorted = measured.toSorted((one, other) => one - other);
  const median = Math.round(sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.POSITIVE_INFINITY);
  return { median, ratio: Math.round((median / unitsPerEvent) * 100) / 100, isWithin: median <= unitsPerEvent * (1 + margin) };
}

function optionsOf({ driver, events }: Baseline): BenchOptions {
  return { ...scenarios.drain, scenario: 'drain', driver, kafka: 'local', events, callsPerMinute: 1, tenants: [], finished: [], kill: [killTargets[0]], output: 'table' };
}
