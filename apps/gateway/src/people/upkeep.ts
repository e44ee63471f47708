import { setTimeout as wait } from 'node:timers/promises';

/** Does something now and then until stopped; what fails is reported and tried again. */
export class Upkeep {
  private readonly stopping = new AbortController();
  private readonly working: Promise<void>[] = [];

  constructor(private readonly report: (error: unknown) => void) {}

  every(intervalMs: number, work: () => Promise<void>): void {
    this.working.push(this.repeat(intervalMs, async () => {
      await work();
      return false;
    }));
  }

  /** Until it has succeeded once; the database may still be away, or not migrated. */
  once(retryMs: number, work: () => Promise<void>): void {
    this.working.push(this.repeat(retryMs, async () => {
      await work();
      return true;
    }, 0));
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await Promise.all(this.working);
  }

  private async repeat(intervalMs: number, work: () => Promise<boolean>, firstAfterMs = intervalMs): Promise<void> {
    const { signal } = this.stopping;
    for (let pauseMs = firstAfterMs; ; pauseMs = intervalMs) {
      await wait(pauseMs, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return;
      try {
        if (await work()) return;
      } catch (error) {
        this.report(error);
      }
    }
  }
}
