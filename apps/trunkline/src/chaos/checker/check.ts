import { checkEffects } from './effects.js';
import type { Evidence } from './evidence.js';
import { checkLimits } from './limits.js';
import { checkOffsets } from './offsets.js';
import { checkOrder } from './order.js';
import { checkReceipts } from './receipts.js';
import { checkStates } from './states.js';
import { checkTenants } from './tenants.js';
import type { Finding } from './verdict.js';

/** Holds everything that was seen against the seven invariants. */
export function check(evidence: Evidence): readonly Finding[] {
  return [checkReceipts, checkEffects, checkOrder, checkOffsets, checkStates, checkTenants, checkLimits].map((invariant) => invariant(evidence));
}
