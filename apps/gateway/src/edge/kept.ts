/** How long an answer is used: fresh up to `freshMs`, and up to `staleMs` while its origin is away (delivery §2). */
export interface KeptLimits {
  readonly freshMs: number;
  readonly staleMs: number;
  /** How long an origin that hangs may hold a request up. */
  readonly waitMs: number;
  readonly entries: number;
}

interface Entry<Value> {
  readonly value: Value;
  readonly readAtMs: number;
}

export type Ask<Value> = () => Promise<Value | null>;

/** Answers of a slow origin by key; one question per key under way, the oldest entries dropped beyond the limit. Null is passed on and never kept. */
export class Kept<Value> {
  private readonly entries = new Map<string, Entry<Value>>();
  private readonly underWay = new Map<string, Promise<Value | null>>();

  constructor(
    private readonly limits: KeptLimits,
    private readonly nowMs: () => number,
  ) {}

  /** The fresh answer at hand, without waiting. */
  peek(key: string, freshMs: number = this.limits.freshMs): Value | undefined {
    const entry = this.entries.get(key);
    return entry !== undefined && this.nowMs() - entry.readAtMs < freshMs ? entry.value : undefined;
  }

  /** Rejects with what the origin threw when there is no answer young enough to stand in. `freshMs` asks for a younger one than usual. */
  async get(key: string, ask: Ask<Value>, freshMs: number = this.limits.freshMs): Promise<Value | null> {
    const fresh = this.peek(key, freshMs);
    if (fresh !== undefined) return fresh;
    try {
      return await withinTime(this.underWay.get(key) ?? this.refresh(key, ask), this.limits.waitMs);
    } catch (error) {
      const stale = this.peek(key, this.limits.staleMs);
      if (stale !== undefined) return stale;
      throw error;
    }
  }

  forget(key: string): void {
    this.entries.delete(key);
  }

  private refresh(key: string, ask: Ask<Value>): Promise<Value | null> {
    const startedAtMs = this.nowMs();
    const asked = ask()
      .then((value) => {
        this.entries.delete(key);
        if (value !== null) this.keep(key, { value, readAtMs: startedAtMs });
        return value;
      })
      .finally(() => this.underWay.delete(key));
    this.underWay.set(key, asked);
    return asked;
  }

  private keep(key: string, entry: Entry<Value>): void {
    this.entries.set(key, entry);
    if (this.entries.size <= this.limits.entries) return;
    const oldest = this.entries.keys().next();
    if (oldest.done !== true) this.entries.delete(oldest.value);
  }
}

function withinTime<Value>(asked: Promise<Value>, waitMs: number): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${waitMs} ms`)), waitMs);
  });
  return Promise.race([asked, late]).finally(() => clearTimeout(timer));
}
