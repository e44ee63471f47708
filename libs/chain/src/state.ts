/** The one list of states; API, CLI, documents and database checks read it from here. */
export const stepStates = ['waiting', 'ready', 'sent', 'deferred', 'unknown', 'parked', 'done', 'skipped', 'dead-lettered', 'cancelled'] as const;
export type StepState = (typeof stepStates)[number];

export const runStates = ['running', 'done', 'done-with-failures', 'parked', 'dead-lettered', 'cancelled'] as const;
export type RunState = (typeof runStates)[number];

/** Only a redrive leaves these. */
export const finalStepStates = ['done', 'skipped', 'dead-lettered', 'cancelled'] as const satisfies readonly StepState[];

/** A run has ended, for a summary, when none of its steps is in one of these. */
export const unendedStepStates = ['waiting', 'ready', 'sent', 'deferred', 'unknown'] as const satisfies readonly StepState[];

export const parkingReasons = ['unknown', 'ambiguous', 'provider-down', 'integration-gone', 'worker-older-than-plan'] as const;
export type ParkingReason = (typeof parkingReasons)[number];

export const repeatMethods = ['key', 'upsert', 'search-first', 'never'] as const;
/** How a write may be repeated (P4). */
export type RepeatMethod = (typeof repeatMethods)[number];

export function isFinal(state: StepState): boolean {
  return (finalStepStates as readonly StepState[]).includes(state);
}
