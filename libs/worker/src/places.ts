/** A bounded number of calls at once, first come first served. */
export class Places {
  private taken = 0;
  private waiting: { readonly give: () => void }[] = [];

  constructor(private readonly most: number) {}

  get isFree(): boolean {
    return this.taken === 0;
  }

  /** Answers with the function that gives the place back, or null when none got free in time. */
  take(maxWaitMs: number): Promise<(() => void) | null> {
    if (this.taken < this.most) {
      this.taken += 1;
      return Promise.resolve(this.giveBackOnce());
    }
    return new Promise((resolve) => {
      const entry = {
        give: () => {
          clearTimeout(timer);
          resolve(this.giveBackOnce());
        },
      };
      const timer = setTimeout(() => {
        this.waiting = this.waiting.filter((other) => other !== entry);
        resolve(null);
      }, maxWaitMs);
      this.waiting.push(entry);
    });
  }

  private giveBackOnce(): () => void {
    let isGiven = false;
    return () => {
      if (isGiven) return;
      isGiven = true;
      const next = this.waiting.shift();
      if (next === undefined) this.taken -= 1;
      else next.give();
    };
  }
}
