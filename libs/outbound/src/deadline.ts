/** The two clocks a deadline looks at: the monotonic one stands still while a machine sleeps, the wall clock may be set back. */
export interface Clock {
  monotonicMs(): number;
  wallMs(): number;
}

export const systemClock: Clock = { monotonicMs: () => performance.now(), wallMs: () => Date.now() };

/** A total time, from its making, over everything that happens for one command. */
export interface Deadline {
  /** Zero or less once it has passed. */
  leftMs(): number;
}

/** Time counts by the larger of what the two clocks say (delivery §6.3). */
export function startDeadline(durationMs: number, clock: Clock = systemClock): Deadline {
  const monotonicStartMs = clock.monotonicMs();
  const wallStartMs = clock.wallMs();
  return { leftMs: () => durationMs - Math.max(clock.monotonicMs() - monotonicStartMs, clock.wallMs() - wallStartMs) };
}
