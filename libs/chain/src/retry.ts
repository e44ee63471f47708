import type { RetryRule } from './plan.js';

/** Full jitter: anywhere between now and the doubled bound, so that steps failing together do not come back together. */
export function backOffMs(rule: RetryRule, tries: number, random: number): number {
  const bound = Math.min(rule.maxBackoffMs, rule.backoffMs * 2 ** Math.min(Math.max(tries - 1, 0), 30));
  return Math.round(bound * random);
}
