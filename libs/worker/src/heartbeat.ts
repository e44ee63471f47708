import type { Consumption } from '@trunkline/event-log';

/** Whether this process may still believe that its partitions are its own (delivery §6.3). */
export class HeartbeatWatch {
  private consumption: Pick<Consumption, 'lastHeartbeatMs' | 'sessionTimeoutMs'> | null = null;

  constructor(private readonly monotonicMs: () => number = () => performance.now()) {}

  attach(consumption: Pick<Consumption, 'lastHeartbeatMs' | 'sessionTimeoutMs'>): void {
    this.consumption = consumption;
  }

  /** Older than half the session time-out: somebody else may be about to read the same commands. */
  problem(): string | null {
    if (this.consumption === null) return null;
    const ageMs = this.monotonicMs() - this.consumption.lastHeartbeatMs();
    return ageMs <= this.consumption.sessionTimeoutMs / 2 ? null : `the last heartbeat is ${Math.round(ageMs)} ms old`;
  }
}
