import type { ActionFacts } from './plan.js';
import type { RepeatMethod } from './state.js';

/**
 * How the present dispatch of a step may be repeated (delivery §6.5). A `key` is trusted for half its life; then the step goes on as `search-first`, or as `never` without a search.
 * Judged at `startBeforeMs`, which the command carries, so that worker and sweeper cannot differ on whether this dispatch keeps an intent.
 */
export function repeatOf(facts: ActionFacts, times: { readonly firstDispatchedAtMs: number | null; readonly startBeforeMs: number | null }): RepeatMethod {
  if (facts.repeat !== 'key' || facts.keyTtlMs === undefined || times.firstDispatchedAtMs === null || times.startBeforeMs === null) return facts.repeat;
  if (times.startBeforeMs - times.firstDispatchedAtMs <= facts.keyTtlMs / 2) return 'key';
  return facts.search === undefined ? 'never' : 'search-first';
}

/** `key` and `upsert`: a second call has no second effect. */
export function isHarmlessTwice(repeat: RepeatMethod): boolean {
  return repeat === 'key' || repeat === 'upsert';
}
