import type { CallWindowEvidence, Evidence } from './evidence.js';
import type { Breach, Finding } from './verdict.js';

/** I7: in every window of that length, wherever it begins. */
export function checkLimits({ calls }: Pick<Evidence, 'calls'>): Finding {
  const worst = calls.map((window) => ({ window, ...fullest(window) }));
  const breaches = worst.flatMap(({ window, most, fromMs }): Breach[] => {
    if (most <= window.limit) return [];
    return [{ invariant: 'I7', says: `${window.provider} ${window.pathPrefix} got ${most} calls in the ${window.windowMs / 1000} s from ${new Date(fromMs).toISOString()}; ${window.limit} are allowed`, runId: null, eventId: null }];
  });
  return { invariant: 'I7', checked: calls.reduce((sum, { atMs }) => sum + atMs.length, 0), note: worst.map(({ window, most }) => `${window.provider} at most ${most} of ${window.limit} in ${window.windowMs / 1000} s`).join(', ') || 'no limits', breaches };
}

function fullest({ atMs, windowMs }: CallWindowEvidence): { readonly most: number; readonly fromMs: number } {
  let [most, fromMs, first] = [0, 0, 0];
  for (let last = 0; last < atMs.length; last += 1) {
    while ((atMs[last] ?? 0) - (atMs[first] ?? 0) >= windowMs) first += 1;
    if (last - first + 1 > most) [most, fromMs] = [last - first + 1, atMs[first] ?? 0];
  }
  return { most, fromMs };
}
