import { SimulatorArgumentWrong } from './errors.js';
import { isObject } from './call.js';
import type { LimitSetting } from './limits.js';

export type ProviderOption = string | number | boolean | readonly string[] | null;
export type ProviderOptions = Readonly<Record<string, ProviderOption>>;

export interface Settings {
  readonly limits: LimitSetting;
  readonly latencyMs: number;
  readonly searchLagMs: number;
  /** What only this provider knows, for example TechnologyOne's `authPrefix`. */
  readonly options: ProviderOptions;
}

export function readLimits(value: unknown): LimitSetting {
  if (value === 'vendor' || value === 'off') return value;
  const perMinute = typeof value === 'string' ? Number(/^(\d+)\/min$/.exec(value)?.[1]) : isObject(value) ? value['perMinute'] : Number.NaN;
  if (typeof perMinute === 'number' && Number.isInteger(perMinute) && perMinute > 0) return { perMinute };
  throw SimulatorArgumentWrong.because(`limits are vendor, off or N/min, not ${JSON.stringify(value)}`);
}

/** Takes over what is given and leaves the rest; an unknown name or kind is refused. */
export function changeSettings(before: Settings, changes: unknown): Settings {
  if (!isObject(changes)) throw SimulatorArgumentWrong.because('settings are a JSON object');
  const { limits, latencyMs, searchLagMs, options, ...unknown } = changes;
  const [extra] = Object.keys(unknown);
  if (extra !== undefined) throw SimulatorArgumentWrong.because(`there is no setting ${extra}`, { known: Object.keys(before) });
  return {
    limits: limits === undefined ? before.limits : readLimits(limits),
    latencyMs: latencyMs === undefined ? before.latencyMs : duration('latencyMs', latencyMs),
    searchLagMs: searchLagMs === undefined ? before.searchLagMs : duration('searchLagMs', searchLagMs),
    options: options === undefined ? before.options : changeOptions(before.options, options),
  };
}

function duration(name: string, value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return value;
  throw SimulatorArgumentWrong.because(`${name} is a number of milliseconds`);
}

function changeOptions(before: ProviderOptions, changes: unknown): ProviderOptions {
  if (!isObject(changes)) throw SimulatorArgumentWrong.because('options are a JSON object');
  for (const [name, value] of Object.entries(changes)) {
    const known = Object.hasOwn(before, name) ? before[name] : undefined;
    const fits = known !== undefined && (value === null || known === null || (typeof value === typeof known && Array.isArray(value) === Array.isArray(known)));
    if (!fits) throw SimulatorArgumentWrong.because(`wrong or unknown option ${name}`, { known: Object.keys(before) });
  }
  return { ...before, ...(changes as ProviderOptions) };
}
