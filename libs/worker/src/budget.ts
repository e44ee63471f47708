/** Calls of one integration within the provider's declared windows and what its answers say is left. Pure: time comes in. */
export interface BudgetWindow {
  readonly name: string;
  readonly calls: number;
  readonly windowMs: number;
}

export interface StoredWindow {
  readonly name: string;
  readonly startsAtMs: number;
  readonly used: number;
  readonly storedAtMs: number;
}

export type Reservation = { readonly kind: 'granted'; readonly atMs: number } | { readonly kind: 'denied'; readonly untilMs: number; readonly because: string };

const slices = 60;

export class Budget {
  private readonly windows: readonly SlidingWindow[];
  private closedUntilMs = Number.NEGATIVE_INFINITY;
  private closedBecause = '';
  private lastGrantMs = Number.NEGATIVE_INFINITY;

  constructor(windows: readonly BudgetWindow[]) {
    this.windows = windows.filter(({ calls }) => Number.isFinite(calls)).map((window) => new SlidingWindow(window));
  }

  /** Takes `cost` calls at the earliest time, if that is no more than `maxWaitMs` away. Times granted never go back, so waiting commands keep their order. */
  reserve(cost: number, nowMs: number, maxWaitMs: number): Reservation {
    for (const window of this.windows) window.forget(nowMs);
    let atMs = Math.max(nowMs, this.closedUntilMs, this.lastGrantMs);
    let because = this.closedUntilMs > nowMs ? this.closedBecause : '';
    for (let isSettled = false; !isSettled; ) {
      isSettled = true;
      for (const window of this.windows) {
        const freeAtMs = window.freeAt(cost, atMs);
        if (freeAtMs <= atMs) continue;
        atMs = freeAtMs;
        because = `budget.${window.name}`;
        isSettled = false;
      }
    }
    if (atMs - nowMs > maxWaitMs) return { kind: 'denied', untilMs: atMs, because };
    for (const window of this.windows) window.count(cost, atMs);
    this.lastGrantMs = atMs;
    return { kind: 'granted', atMs };
  }

  /**
   * A call that was granted at `grantedAtMs` is over. It reached the provider some time in between, so from here on it counts as made now:
   * counted by the grant alone, calls held up on their way would meet those of the next window there.
   */
  ended(cost: number, grantedAtMs: number, nowMs: number): void {
    for (const window of this.windows) window.move(cost, grantedAtMs, nowMs);
  }

  /** The provider says how much is left: what others used of the same limit counts here too, until the provider's own window ends. */
  note(remaining: number, resetMs: number, nowMs: number): void {
    for (const window of this.windows) {
      if (resetMs > window.windowMs) continue;
      const unseen = window.calls - window.used(nowMs) - remaining;
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

  toStore(nowMs: number): readonly StoredWindow[] {
    return this.windows.map((window) => ({ name: window.name, startsAtMs: nowMs - window.windowMs, used: window.used(nowMs), storedAtMs: nowMs }));
  }

  /** Knows nothing that matters any more. */
  isUnused(nowMs: number): boolean {
    return this.closedUntilMs <= nowMs && this.windows.every((window) => window.used(nowMs) === 0);
  }

  /** What an earlier owner used counts as used when it was stored; of the time since then everything it could have used (delivery §5), unless that owner was this process. */
  inherit(stored: readonly StoredWindow[], nowMs: number, isOwn = false): void {
    for (const window of this.windows) {
      const before = stored.find(({ name }) => name === window.name);
      if (before === undefined) continue;
      const sinceMs = Math.max(0, nowMs - before.storedAtMs);
      if (sinceMs < window.windowMs) window.count(before.used, before.storedAtMs);
      if (isOwn) continue;
      const unseen = Math.min(window.calls, Math.ceil((window.calls * Math.min(sinceMs, window.windowMs)) / window.windowMs));
      const room = Math.max(0, window.calls - window.used(nowMs));
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
  /** Slice number → calls. */
  private readonly counts = new Map<number, number>();

  constructor({ name, calls, windowMs }: BudgetWindow) {
    this.name = name;
    this.calls = calls;
    this.windowMs = windowMs;
    this.sliceMs = windowMs / slices;
  }

  used(atMs: number): number {
    let used = 0;
    for (const [slice, count] of this.counts) if (this.leavesAt(slice) > atMs) used += count;
    return used;
  }

  /** When `cost` more calls fit; a cost above the limit itself fits once the window is empty. */
  freeAt(cost: number, fromMs: number): number {
    let excess = this.used(fromMs) + Math.min(cost, this.calls) - this.calls;
    if (excess <= 0) return fromMs;
    for (const [slice, count] of [...this.counts].sort(([left], [right]) => left - right)) {
      if (this.leavesAt(slice) <= fromMs) continue;
      excess -= count;
      if (excess <= 0) return this.leavesAt(slice);
    }
    return fromMs;
  }

  count(calls: number, atMs: number): void {
    if (calls <= 0) return;
    const slice = Math.floor(atMs / this.sliceMs);
    this.counts.set(slice, (this.counts.get(slice) ?? 0) + calls);
  }

  /** A count that has left meanwhile comes back. */
  move(calls: number, fromMs: number, toMs: number): void {
    const [from, to] = [Math.floor(fromMs / this.sliceMs), Math.floor(toMs / this.sliceMs)];
    if (to <= from) return;
    const left = (this.counts.get(from) ?? 0) - calls;
    if (left > 0) this.counts.set(from, left);
    else this.counts.delete(from);
    this.count(calls, toMs);
  }

  /** Evenly over a stretch of time. */
  spread(calls: number, fromMs: number, toMs: number): void {
    const parts = Math.max(1, Math.ceil((toMs - fromMs) / this.sliceMs));
    for (let part = 0; part < parts; part += 1) {
      const share = Math.floor(((part + 1) * calls) / parts) - Math.floor((part * calls) / parts);
      this.count(share, fromMs + ((toMs - fromMs) * part) / parts);
    }
  }

  /** By the real time only: a look at a later time must not forget what still counts now. */
  forget(nowMs: number): void {
    for (const slice of this.counts.keys()) if (this.leavesAt(slice) <= nowMs) this.counts.delete(slice);
  }

  private leavesAt(slice: number): number {
    return (slice + 1) * this.sliceMs + this.windowMs;
  }
}
