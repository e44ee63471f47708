interface Entry<Value> {
  readonly value: Value;
  readonly usedAtMs: number;
}

/** Keeps what is used, and of the rest only so many. What was used a moment ago is never dropped: somebody may be about to ask for it again within one flush. */
export class Recent<Value> {
  /** Longest unused first. */
  private readonly entries = new Map<string, Entry<Value>>();

  constructor(
    private readonly most: number,
    private readonly idleMs: number,
    private readonly monotonicMs: () => number,
  ) {}

  get size(): number {
    return this.entries.size;
  }

  get(name: string): Value | undefined {
    const known = this.entries.get(name);
    if (known !== undefined) this.put(name, known.value);
    return known?.value;
  }

  set(name: string, value: Value): void {
    this.put(name, value);
    const unusedSinceMs = this.monotonicMs() - this.idleMs;
    for (const [oldest, { usedAtMs }] of this.entries) {
      if (this.entries.size <= this.most || usedAtMs > unusedSinceMs) return;
      this.entries.delete(oldest);
    }
  }

  private put(name: string, value: Value): void {
    this.entries.delete(name);
    this.entries.set(name, { value, usedAtMs: this.monotonicMs() });
  }
}
