import type { Timing } from '../consume/timing.js';

/** Time that passes only when a test says so. */
export class ManualTiming implements Timing {
  private nowIs = 0;
  private alarms: { readonly atMs: number; readonly callback: () => void }[] = [];

  nowMs(): number {
    return this.nowIs;
  }

  monotonicMs(): number {
    return this.nowIs;
  }

  after(delayMs: number, callback: () => void): () => void {
    const alarm = { atMs: this.nowIs + delayMs, callback };
    this.alarms.push(alarm);
    return () => {
      this.alarms = this.alarms.filter((other) => other !== alarm);
    };
  }

  random(): number {
    return 0;
  }

  /** Lets time pass, and after each alarm everything that follows from it without further waiting. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.nowIs + ms;
    await settle();
    for (let due = this.next(untilMs); due !== undefined; due = this.next(untilMs)) {
      this.alarms = this.alarms.filter((alarm) => alarm !== due);
      this.nowIs = due.atMs;
      due.callback();
      await settle();
    }
    this.nowIs = untilMs;
  }

  private next(untilMs: number) {
    return this.alarms.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
  }
}

/** Promises that wait for nothing but each other come to rest. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
