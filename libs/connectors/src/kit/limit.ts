/** A limit of the provider on one integration's calls; the customer's contract may override the number. */
export type Limit =
  | { readonly kind: 'window'; readonly name: string; readonly calls: number; readonly windowMs: number; readonly source: string }
  | { readonly kind: 'concurrent'; readonly name: string; readonly calls: number; readonly source: string };

/** Response headers that say how much is left of the window. */
export interface LimitHeaders {
  readonly used?: string;
  readonly allowed?: string;
  readonly remaining?: string;
  readonly resetSeconds: string;
}

export const perMinute = (calls: number, source: string): Limit => ({ kind: 'window', name: 'per_minute', calls, windowMs: 60_000, source });
export const perDay = (calls: number, source: string): Limit => ({ kind: 'window', name: 'per_day', calls, windowMs: 24 * 60 * 60 * 1000, source });
export const concurrent = (calls: number, source: string): Limit => ({ kind: 'concurrent', name: 'concurrent', calls, source });

/** The limit's number for one integration: setting `limit_<name>` (0: none), else the definition's. */
function callsOf(limit: Limit, settings: Readonly<Record<string, unknown>>): number {
  const override = settings[`limit_${limit.name}`];
  if (typeof override !== 'number' || !Number.isFinite(override) || override < 0) return limit.calls;
  return override === 0 ? Number.POSITIVE_INFINITY : override;
}

const contract = 'the customer\'s contract';
const perContract = (name: string, windowMs: number): Limit => ({ kind: 'window', name, calls: Number.POSITIVE_INFINITY, windowMs, source: contract });

/** What a contract may limit although a provider's definition says nothing of it. */
const ofContracts: readonly Limit[] = [perContract('per_second', 1_000), perContract('per_minute', 60_000), perContract('per_hour', 3_600_000), perContract('per_day', 86_400_000), concurrent(Number.POSITIVE_INFINITY, contract)];

/** The limits of one integration: those of the definition, and those that only its settings name, with the numbers that hold for it. Lifted ones are left out. */
export function limitsOf(defined: readonly Limit[], settings: Readonly<Record<string, unknown>>): readonly Limit[] {
  const added = ofContracts.filter(({ name }) => defined.every((limit) => limit.name !== name));
  return [...defined, ...added].map((limit) => ({ ...limit, calls: callsOf(limit, settings) })).filter(({ calls }) => Number.isFinite(calls));
}

/** `remaining` and the time to the reset, where the answer says both. */
export function remainingIn(headers: Readonly<Record<string, string>>, names: LimitHeaders): { readonly remaining: number; readonly resetMs: number } | null {
  const number = (name: string | undefined): number | null => (name !== undefined && /^\d+(\.\d+)?$/.test(headers[name] ?? '') ? Number(headers[name]) : null);
  const resetSeconds = number(names.resetSeconds);
  const used = number(names.used);
  const allowed = number(names.allowed);
  const remaining = number(names.remaining) ?? (used !== null && allowed !== null ? allowed - used : null);
  return remaining === null || resetSeconds === null ? null : { remaining: Math.max(0, remaining), resetMs: resetSeconds * 1000 };
}
