import { readFileSync } from 'node:fs';
import { CommandUsage } from '../client/failure.js';
import type { BenchResult } from './result.js';

export interface Comparison {
  readonly figure: string;
  readonly a: number;
  readonly b: number;
  /** b divided by a. */
  readonly ratio: number | null;
  /** The same with both machines' calibration taken out; only for processor time. */
  readonly calibrated: number | null;
}

export function readResult(file: string): BenchResult {
  const result = JSON.parse(readFileSync(file, 'utf8')) as BenchResult;
  if (result.format !== 'trunkline-bench/2') throw CommandUsage.because(`${file} was not written by bench --save of this version`);
  return result;
}

/** Figure by figure, what `b` is of `a`. */
export function compare(a: BenchResult, b: BenchResult): readonly Comparison[] {
  const ours = figuresOf(a);
  const theirs = figuresOf(b);
  const machine = b.calibration.unitMicros / a.calibration.unitMicros;
  return [...ours].flatMap(([figure, before]): Comparison[] => {
    const after = theirs.get(figure);
    if (after === undefined) return [];
    const ratio = before === 0 ? null : after / before;
    return [{ figure, a: before, b: after, ratio, calibrated: ratio !== null && figure.startsWith('cpuMsPerEvent') ? ratio / machine : null }];
  });
}

/** Why two results should not be set side by side, or nothing. */
export function differences(a: BenchResult, b: BenchResult): readonly string[] {
  const names = ['scenario', 'driver', 'rate', 'latencyMs', 'batch', 'events', 'seconds', 'callsPerMinute', 'tenants', 'finished', 'kill'] as const;
  return names.filter((name) => String(a.options[name]) !== String(b.options[name])).map((name) => `${name}: ${String(a.options[name])} and ${String(b.options[name])}`);
}

function figuresOf(result: BenchResult): ReadonlyMap<string, number> {
  const { eventsPerSecond, cpuMsPerEvent, peakMiB, milliseconds, findings, calibration } = result;
  return new Map(flatten('', { eventsPerSecond, cpuMsPerEvent, peakMiB, milliseconds, findings, calibration }));
}

function flatten(prefix: string, value: unknown): readonly (readonly [string, number])[] {
  if (typeof value === 'number') return [[prefix, value]];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => flatten(prefix === '' ? name : `${prefix}.${name}`, inner));
}
