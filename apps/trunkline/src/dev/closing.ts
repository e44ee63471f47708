import { say } from '../client/output.js';

/** What was started, to be stopped in the opposite order; stopping twice is stopping once. */
export class Closing {
  private readonly steps: { readonly name: string; readonly close: () => Promise<void> | void }[] = [];
  private readonly starts = new Set<Promise<unknown>>();
  private running: Promise<void> | undefined;

  add(name: string, close: () => Promise<void> | void): void {
    this.steps.push({ name, close });
  }

  /** Starts something that adds itself: who closes meanwhile waits for it, since what is half started would be left behind. Nothing is started any more after that. */
  async starting<Started>(start: () => Promise<Started>): Promise<Started> {
    if (this.running !== undefined) throw new Error('it was stopped while it was starting');
    const started = start();
    this.starts.add(started);
    try {
      return await started;
    } finally {
      this.starts.delete(started);
    }
  }

  close(): Promise<void> {
    this.running ??= this.closeAll();
    return this.running;
  }

  private async closeAll(): Promise<void> {
    await Promise.allSettled(this.starts);
    for (const { name, close } of this.steps.toReversed()) {
      try {
        await close();
      } catch (error) {
        say(`stopping ${name}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }
}
