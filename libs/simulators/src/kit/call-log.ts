export interface CallRecord {
  readonly at: string;
  readonly method: string;
  readonly path: string;
  readonly operation: string;
  readonly requestId: string;
  readonly faultId?: number;
  /** 0: the connection was cut instead of an answer; absent while the call is in hand. */
  status?: number;
  durationMs?: number;
  /** Refused by a limit. */
  isLimited?: true;
}

const keptCalls = 10_000;
const keptMinutes = 2_880;

/** Counts every call and remembers the last ones. */
export class CallLog {
  private readonly ring: CallRecord[] = [];
  private next = 0;
  private readonly minutes = new Map<string, { calls: number; refused: number }>();
  private readonly byOperation = new Map<string, number>();
  total = 0;
  unknownRoutes = 0;

  add(call: CallRecord): void {
    this.total += 1;
    this.byOperation.set(call.operation, (this.byOperation.get(call.operation) ?? 0) + 1);
    if (call.operation === unknownRoute) this.unknownRoutes += 1;
    this.countMinute(call);
    if (this.ring.length < keptCalls) this.ring.push(call);
    else this.ring[this.next] = call;
    this.next = (this.next + 1) % keptCalls;
  }

  limited(call: CallRecord): void {
    call.isLimited = true;
    const counts = this.minutes.get(call.at.slice(0, 16));
    if (counts !== undefined) counts.refused += 1;
  }

  /** Oldest first. */
  list(operation?: string, limit = keptCalls): readonly CallRecord[] {
    const ordered = this.ring.length < keptCalls ? this.ring : [...this.ring.slice(this.next), ...this.ring.slice(0, this.next)];
    const wanted = operation === undefined ? ordered : ordered.filter((call) => call.operation === operation);
    return wanted.slice(-limit);
  }

  figures(): Readonly<Record<string, unknown>> {
    return {
      calls: this.total,
      unknownRoutes: this.unknownRoutes,
      byOperation: Object.fromEntries(this.byOperation),
      perMinute: [...this.minutes].map(([minute, counts]) => ({ minute, ...counts })),
    };
  }

  private countMinute({ at, operation }: CallRecord): void {
    if (operation === unknownRoute) return;
    const minute = at.slice(0, 16);
    let counts = this.minutes.get(minute);
    if (counts === undefined) {
      this.minutes.set(minute, (counts = { calls: 0, refused: 0 }));
      const [oldest] = this.minutes.keys();
      if (this.minutes.size > keptMinutes && oldest !== undefined) this.minutes.delete(oldest);
    }
    counts.calls += 1;
  }
}

export const unknownRoute = 'unknown';
