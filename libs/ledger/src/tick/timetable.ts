interface Entry {
  readonly everyMs: number;
  work(): Promise<unknown>;
}

/** Repeats works at their intervals, each after its last one ended; a work that fails is reported and comes round again. Wake-ups only hurry what would come anyway. */
export class Timetable<Name extends string = string> {
  private readonly timers = new Map<string, NodeJS.Timeout>();
  private readonly running = new Map<string, Promise<void>>();
  private readonly hurried = new Set<string>();
  private isRunning = false;

  constructor(
    private readonly entries: Readonly<Record<Name, Entry>>,
    private readonly report: (error: unknown, act: string) => void,
  ) {}

  start(): void {
    this.isRunning = true;
    for (const name of Object.keys(this.entries)) this.schedule(name as Name, 0);
  }

  hurry(name: Name): void {
    if (!this.isRunning) return;
    if (this.running.has(name)) this.hurried.add(name);
    else this.schedule(name, 0);
  }

  async stop(): Promise<void> {
    this.isRunning = false;
    for (const timer of this.timers.values()) clearTimeout(timer);
    await Promise.all(this.running.values());
  }

  private schedule(name: Name, afterMs: number): void {
    if (!this.isRunning) return;
    clearTimeout(this.timers.get(name));
    this.timers.set(name, setTimeout(() => {
      const work = this.run(name);
      this.running.set(name, work);
      void work.finally(() => {
        this.running.delete(name);
        this.schedule(name, this.hurried.delete(name) ? 0 : this.entries[name].everyMs);
      });
    }, afterMs));
  }

  private async run(name: Name): Promise<void> {
    try {
      await this.entries[name].work();
    } catch (error) {
      this.report(error, `ledger pass ${name}`);
    }
  }
}
