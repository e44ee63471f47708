/** Calls of one integration within the provider's declared windows and what its answers say is left. Pure: time comes in, from a clock that is never set. */
export interface BudgetWindow {
  readonly name: string;
  readonly calls: number;
  readonly windowMs: number;
}

export interface StoredWindow {
  readonly name: string;
  readonly used: number;
  readonly storedAtMs: number;
}

/** What of a window is to be stored now. */
export type WindowToStore = Pick<StoredWindow, 'name' | 'used'> & Pick<BudgetWindow, 'windowMs'>;

/** Calls promised to one command for a moment. What makes them count is `start`; the promise only keeps others from what is foreseen. */
export interface Grant {
  readonly atMs: number;
  readonly cost: number;
  /** Promised and not begun. */
  left: number;
}

export type Reservation = { readonly kind: 'granted'; readonly grant: Grant } | { readonly kind: 'denied'; readonly untilMs: number; readonly because: string };

const slices = 60;

export class Budget {
  private readonly windows: readonly SlidingWindow[];
  private closedUntilMs = Number.NEGATIVE_INFINITY;
  private closedBecause = '';
  private lastGrantMs = Number.NEGATIVE_INFINITY;

  constructor(windows: readonly BudgetWindow[]) {
    this.windows = windows.filter(({ calls }) => Number.isFinite(calls)).map((window) => new SlidingWindow(window));
  }

  /** Promises `cost` calls for the earliest time, if that is no more than `maxWaitMs` away. Times granted never go back, so waiting commands keep their order. */
  reserve(cost: number, nowMs: number, maxWaitMs: number): Reservation {
    for (const window of this.windows) window.forget(nowMs);
    let atMs = Math.max(nowMs, this.closedUntilMs, this.lastGrantMs);
    let because = this.closedUntilMs > nowMs ? this.closedBecause : '';
    for (let isSettled = false; !isSettled; ) {
      isSettled = true;
      for (const window of this.windows) {
        const freeAtMs = window.freeAt(cost, atMs, nowMs);
        if (freeAtMs <= atMs) continue;
        atMs = freeAtMs;
        because = `budget.${window.name}`;
        isSettled = false;
      }
    }
    if (atMs - nowMs > maxWaitMs) return { kind: 'denied', untilMs: atMs, because };
    for (const window of this.windows) window.promise(cost, atMs);
    this.lastGrantMs = atMs;
    return { kind: 'granted', grant: { atMs, cost, left: cost } };
  }

  /**
   * A call is about to be written. It counts from now on, whenever it was granted for, and only if every window that ends now has room for it: what was granted long ago
   * (a frozen process, a token that was long in coming), and calls that nobody foresaw (a refused token, a further page), meet the same limit at the provider as all others.
   */
  start(grant: Grant, nowMs: number): boolean {
    if (this.closedUntilMs > nowMs) return false;
    if (this.windows.some((window) => window.made(nowMs) >= Math.max(window.calls, grant.cost))) return false;
    const wasPromised = grant.left > 0;
    if (wasPromised) grant.left -= 1;
    for (const window of this.windows) {
      if (wasPromised) window.takeBack(1, grant.atMs);
      window.begin();
    }
    return true;
  }

  /** It reached the provider some time between its start and now: counted by either alone, calls held up on their way would meet those of the next window there. */
  ended(nowMs: number): void {
    for (const window of this.windows) window.end(nowMs);
  }

  /** Of what was promised, `calls` will not be made. */
  giveBack(grant: Grant, calls = grant.left): void {
    const left = Math.min(calls, grant.left);
    grant.left -= left;
    for (const window of this.windows) window.takeBack(left, grant.atMs);
  }

  /** The provider says how much is left: what others used of the same limit counts here too, until the provider's own window ends. */
  note(remaining: number, resetMs: number, nowMs: number): void {
    for (const window of this.windows) {
      if (resetMs > window.windowMs) continue;
      const unseen = window.calls - window.used(nowMs, nowMs) - remaining;
      if (unseen > 0) window.count(unseen, nowMs + resetMs - window.windowMs);
    }
    if (remaining <= 0) this.closeUntil(nowMs + resetMs, 'budget.provider');
  }

  /** The provider said how long to wait: nothing is sent before. */
  closeUntil(untilMs: number, because: string): void {
    if (untilMs <= this.closedUntilMs) return;
    this.closedUntilMs = untilMs;
    this.closedBecause = because;
  }

  toStore(nowMs: number): readonly WindowToStore[] {
    return this.windows.map((window) => ({ name: window.name, windowMs: window.windowMs, used: window.used(nowMs, nowMs) }));
  }

  /** Knows nothing that matters any more. */
  isUnused(nowMs: number): boolean {
    return this.closedUntilMs <= nowMs && this.windows.every((window) => window.used(nowMs, nowMs) === 0);
  }

  /** What an earlier owner used counts as used when it was stored; of the time since then everything it could have used (delivery §5), unless that owner was this process. */
  inherit(stored: readonly StoredWindow[], nowMs: number, isOwn = false): void {
    for (const window of this.windows) {
      const before = stored.find(({ name }) => name === window.name);
      if (before === undefined) continue;
      const sinceMs = Math.max(0, nowMs - before.storedAtMs);
      // Some of it may have been used between the last store and now.
      if (sinceMs < window.windowMs) window.count(before.used, isOwn ? before.storedAtMs : nowMs);
      if (isOwn) continue;
      const unseen = Math.min(window.calls, Math.ceil((window.calls * Math.min(sinceMs, window.windowMs)) / window.windowMs));
      const room = Math.max(0, window.calls - window.used(nowMs, nowMs));
      window.spread(Math.min(unseen, room), nowMs - Math.min(sinceMs, window.windowMs), nowMs);
    }
  }
}

/** Counts in slices; a slice leaves only when all of it is out of the window, so the count errs on the safe side. */
class SlidingWindow {
  readonly name: string;
  readonly calls: number;
  readonly windowMs: number;
  private readonly sliceMs: number;
  /** Slice number → calls that have ended, by the time of their end. */
  private readonly counts = new Map<number, number>();
  /** Slice number → calls promised for then. */
  private readonly promised = new Map<number, number>();
  /** Written and not ended. */
  private open = 0;

  constructor({ name, calls, windowMs }: BudgetWindow) {
    this.name = name;
    this.calls = calls;
    this.windowMs = windowMs;
    this.sliceMs = windowMs / slices;
  }

  /** Everything that counts at that time, promises too; calls on their way as if they ended now. */
  used(atMs: number, nowMs: number): number {
    const open = this.leavesAt(this.sliceOf(nowMs)) > atMs ? this.open : 0;
    return open + this.staying(this.counts, atMs) + this.staying(this.promised, atMs);
  }

  /** Calls written in the window that ends now, as far as the provider may have seen them in it. */
  made(nowMs: number): number {
    return this.open + this.staying(this.counts, nowMs);
  }

  /** When `cost` more calls fit; a cost above the limit itself fits once the window is empty. */
  freeAt(cost: number, fromMs: number, nowMs: number): number {
    let excess = this.used(fromMs, nowMs) + Math.min(cost, this.calls) - this.calls;
    if (excess <= 0) return fromMs;
    const leaving = [...this.counts, ...this.promised, [this.sliceOf(nowMs), this.open] as const].sort(([left], [right]) => left - right);
    for (const [slice, count] of leaving) {
      if (this.leavesAt(slice) <= fromMs) continue;
      excess -= count;
      if (excess <= 0) return this.leavesAt(slice);
    }
    return fromMs;
  }

  promise(calls: number, atMs: number): void {
    add(this.promised, this.sliceOf(atMs), calls);
  }

  takeBack(calls: number, atMs: number): void {
    add(this.promised, this.sliceOf(atMs), -calls);
  }

  begin(): void {
    this.open += 1;
  }

  end(nowMs: number): void {
    this.open -= 1;
    this.count(1, nowMs);
  }

  count(calls: number, atMs: number): void {
    if (calls > 0) add(this.counts, this.sliceOf(atMs), calls);
  }

  /** Evenly over a stretch of time. */
  spread(calls: number, fromMs: number, toMs: number): void {
    const parts = Math.max(1, Math.ceil((toMs - fromMs) / this.sliceMs));
    for (let part = 0; part < parts; part += 1) {
      const share = Math.floor(((part + 1) * calls) / parts) - Math.floor((part * calls) / parts);
      this.count(share, fromMs + ((toMs - fromMs) * part) / parts);
    }
  }

  /** By the real time only: a look at a later time must not forget what still counts now. A promise is kept as long as somebody may come back to it. */
  forget(nowMs: number): void {
    for (const slice of this.counts.keys()) if (this.leavesAt(slice) <= nowMs) this.counts.delete(slice);
  }

  private staying(counts: ReadonlyMap<number, number>, atMs: number): number {
    let sum = 0;
    for (const [slice, count] of counts) if (this.leavesAt(slice) > atMs) sum += count;
    return sum;
  }

  private sliceOf(atMs: number): number {
    return Math.floor(atMs / this.sliceMs);
  }

  private leavesAt(slice: number): number {
    return (slice + 1) * this.sliceMs + this.windowMs;
  }
}

function add(counts: Map<number, number>, slice: number, calls: number): void {
  const sum = (counts.get(slice) ?? 0) + calls;
  if (sum > 0) counts.set(slice, sum);
  else counts.delete(slice);
}
