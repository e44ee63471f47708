import { say } from '../client/output.js';

/** What was started, to be stopped in the opposite order; stopping twice is stopping once. */
export class Closing {
  private readonly steps: { readonly name: string; readonly close: () => Promise<void> | void }[] = [];
  private running: Promise<void> | undefined;

  add(name: string, close: () => Promise<void> | void): void {
    this.steps.push({ name, close });
  }

  close(): Promise<void> {
    this.running ??= this.closeAll();
    return this.running;
  }

  private async closeAll(): Promise<void> {
    for (const { name, close } of this.steps.toReversed()) {
      try {
        await close();
      } catch (error) {
        say(`stopping ${name}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }
}
