import { readFileSync } from 'node:fs';
import { BenchNotComparable } from '../client/failure.js';
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
  const text = readText(file);
  if (text.trim() === '') throw BenchNotComparable.because(`${file} is empty: the run that was to write it has not come to its end`);
  const result = parsed(text);
  if (result === undefined) throw BenchNotComparable.because(`${file} holds no JSON`);
  if (!isResult(result)) throw BenchNotComparable.because(`${file} was not written by bench --save of this version`);
  return result;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw BenchNotComparable.because(code === 'ENOENT' ? `there is no file ${file}` : `${file} cannot be read (${code ?? String(error)})`);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Told to whoever named the file; where in it the error is helps nobody.
    return undefined;
  }
}

function isResult(value: unknown): value is BenchResult {
  const { format, options, calibration } = (typeof value === 'object' && value !== null ? value : {}) as { readonly [Name in keyof BenchResult]?: unknown };
  return format === 'trunkline-bench/2' && typeof (options as BenchResult['options'] | undefined)?.scenario === 'string' && Number((calibration as BenchResult['calibration'] | undefined)?.unitMicros) > 0;
}

/** Figure by figure, what `b` is of `a`; of two scenarios the same names stand for different things. */
export function compare(a: BenchResult, b: BenchResult): readonly Comparison[] {
  if (a.options.scenario !== b.options.scenario) throw BenchNotComparable.because(`one is of ${a.options.scenario}, the other of ${b.options.scenario}`);
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
