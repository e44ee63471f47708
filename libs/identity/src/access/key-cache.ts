export interface CacheTimes {
  /** Younger entries are used without asking. */
  readonly freshMs: number;
  /** Older entries are used only while the database is away, up to this age. */
  readonly staleMs: number;
  /** How long a caller waits for the database before the older entry, if any, is used. */
  readonly waitMs: number;
  /** After a failure or a time-out the database is left alone for so long. */
  readonly pauseMs: number;
}

export type Looked<T> = { readonly kind: 'found'; readonly value: T } | { readonly kind: 'none' } | { readonly kind: 'away'; readonly reason: unknown };

interface Entry<T> {
  readonly value: T;
  readonly loadedAtMs: number;
}

/** Remembers what a slower place knows: fresh for a while, longer while that place is away; one question at a time per key. */
export class KeyCache<T> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #asking = new Map<string, Promise<Looked<T>>>();
  #leaveAloneUntilMs = 0;
  #lastFailure: unknown = null;

  constructor(
    private readonly load: (key: string) => Promise<T | null>,
    private readonly isAway: (error: unknown) => boolean,
    private readonly times: CacheTimes,
    private readonly nowMs: () => number,
    private readonly capacity = 10_000,
  ) {}

  /** What is fresh enough to be used without asking, at once. */
  recall(key: string): T | null {
    const entry = this.#entries.get(key);
    return entry !== undefined && this.#ageMs(entry) < this.times.freshMs ? entry.value : null;
  }

  async look(key: string): Promise<Looked<T>> {
    const entry = this.#entries.get(key);
    if (entry !== undefined && this.#ageMs(entry) < this.times.freshMs) return { kind: 'found', value: entry.value };
    const looked = await this.#ask(key);
    if (looked.kind !== 'away') return looked;
    return entry !== undefined && this.#ageMs(entry) < this.times.staleMs ? { kind: 'found', value: entry.value } : looked;
  }

  forget(key: string): void {
    this.#entries.delete(key);
  }

  async #ask(key: string): Promise<Looked<T>> {
    if (this.nowMs() < this.#leaveAloneUntilMs) return { kind: 'away', reason: this.#lastFailure };
    let asking = this.#asking.get(key);
    if (asking === undefined) {
      asking = this.#refresh(key).finally(() => this.#asking.delete(key));
      this.#asking.set(key, asking);
      // A caller may have stopped waiting; those who wait get the rejection themselves.
      asking.catch(() => undefined);
    }
    return atMost(this.times.waitMs, asking, (reason) => this.#leaveAlone(reason));
  }

  async #refresh(key: string): Promise<Looked<T>> {
    try {
      const value = await this.load(key);
      // It answers again, if only slowly.
      this.#leaveAloneUntilMs = 0;
      if (value === null) {
        this.#entries.delete(key);
        return { kind: 'none' };
      }
      this.#remember(key, value);
      return { kind: 'found', value };
    } catch (error) {
      if (!this.isAway(error)) throw error;
      this.#leaveAlone(error);
      return { kind: 'away', reason: error };
    }
  }

  #leaveAlone(reason: unknown): void {
    this.#leaveAloneUntilMs = this.nowMs() + this.times.pauseMs;
    this.#lastFailure = reason;
  }

  /** The longest unrefreshed entry goes first. */
  #remember(key: string, value: T): void {
    this.#entries.delete(key);
    this.#entries.set(key, { value, loadedAtMs: this.nowMs() });
    const oldest = this.#entries.keys().next();
    if (this.#entries.size > this.capacity && !oldest.done) this.#entries.delete(oldest.value);
  }

  #ageMs(entry: Entry<T>): number {
    return this.nowMs() - entry.loadedAtMs;
  }
}

async function atMost<T>(waitMs: number, asked: Promise<Looked<T>>, onLate: (reason: Error) => void): Promise<Looked<T>> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Looked<T>>((resolve) => {
    timer = setTimeout(() => {
      const reason = new Error(`no answer within ${waitMs} ms`);
      onLate(reason);
      resolve({ kind: 'away', reason });
    }, waitMs);
  });
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
  }
}
