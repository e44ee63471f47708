const sweepEveryMs = 60_000;

/** What a worker holds per integration, without those that are gone or idle: looked through as new ones come, which is the only time the map grows. */
export class IdleEntries<Value> {
  private sweptAtMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly held: Map<string, Value>,
    private readonly isIdle: (value: Value, nowMs: number) => boolean,
    private readonly dropped: (name: string, value: Value) => void = () => undefined,
  ) {}

  sweep(nowMs: number): void {
    if (nowMs - this.sweptAtMs < sweepEveryMs) return;
    this.sweptAtMs = nowMs;
    for (const [name, value] of this.held) {
      if (!this.isIdle(value, nowMs)) continue;
      this.held.delete(name);
      this.dropped(name, value);
    }
  }
}
