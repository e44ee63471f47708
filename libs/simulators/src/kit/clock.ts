/** The simulator's own clock: the machine's time plus what the control side added. It never runs back, also over a restart. */
export class SimulatorClock {
  constructor(
    private offsetMs = 0,
    private readonly machineNow: () => number = Date.now,
  ) {}

  now(): number {
    return this.machineNow() + this.offsetMs;
  }

  isoNow(): string {
    return new Date(this.now()).toISOString();
  }

  advance(byMs: number): void {
    this.offsetMs += byMs;
  }

  /** After a restart the clock stands no earlier than the last thing the journal knows. */
  notBefore(timeMs: number): void {
    const behindMs = timeMs - this.now();
    if (behindMs > 0) this.offsetMs += behindMs;
  }

  get aheadMs(): number {
    return this.offsetMs;
  }
}
