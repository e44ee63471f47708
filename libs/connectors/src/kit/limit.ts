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
export function callsOf(limit: Limit, settings: Readonly<Record<string, unknown>>): number {
  const override = settings[`limit_${limit.name}`];
  if (typeof override !== 'number' || !Number.isFinite(override) || override < 0) return limit.calls;
  return override === 0 ? Number.POSITIVE_INFINITY : override;
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
