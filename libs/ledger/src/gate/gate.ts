/** What the database says of an integration and its gate. */
export interface GateFacts {
  readonly provider: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly isPaused: boolean;
  /** Epoch ms; 0: open, Infinity: until somebody reconnects. */
  readonly openAtMs: number;
  readonly reason: string | null;
  /** Limits of calls, as far as they are known. */
  readonly windows?: readonly CallWindow[];
}

export interface CallWindow {
  readonly calls: number;
  readonly windowMs: number;
}

export interface BacklogItem {
  readonly organisationId: string;
  readonly runId: string;
  readonly stepId: string;
  readonly leasedUntilMs: number;
}

const windowSeconds = 10;
const spare = 4;
const growth = 1.2;
/** Taken into memory beyond what may pass now, so that room is filled without asking. */
const leasedAhead = 32;
const leaseMarginMs = 1_000;
/** In flight when a window is used up comes back in vain: no more than this share of its calls, unless they are made within the time that a command takes. */
const shareOfWindow = 0.1;
const commandTakesMs = 2_000;

/**
 * The one way to an integration (delivery §5): closed once for all by a throttle, an open breaker, a pause or a revoked credential, and never letting through more than it can finish.
 * What is in flight is a set of dispatches, never a counter, so that a lost or doubled answer cannot shift it.
 */
export class Gate {
  facts: GateFacts | null = null;
  factsReadAtMs = -Infinity;
  usedAtMs = 0;
  /** Ready steps that wait in `due_work` for this gate and are not in memory; Infinity: some, nobody knows how many. Newcomers pass only if there is room for these too. */
  outside = 0;
  /** The longest waiting of them, leased by this process; they pass before anybody else. */
  readonly backlog: BacklogItem[] = [];
  /** Something waits for this gate; whether it is more than memory and the count know must be asked. */
  isUnsure = false;
  /** Moves whenever something comes to wait that memory does not hold: an answer about earlier rows says nothing of it. */
  overflows = 0;
  readonly inFlight = new Map<string, number>();
  /** Of those in flight, how many are answered in the flush that is being decided: when it is committed their room is free. */
  answering = 0;
  private finishedPerSecond = new Map<number, number>();
  /** Jitter after a reopening, so that instances do not start together. */
  private notBeforeMs = 0;
  private limit = Infinity;
  private mostByWindows = Infinity;
  /** A throttle has shown how much is too much: from then on room grows by one for every second round of answers instead of each answer. */
  private isThrottled = false;
  private isProbing = false;

  constructor(
    readonly organisationId: string,
    readonly integrationId: string,
    private readonly mostInFlight: number,
  ) {}

  update(facts: GateFacts | null, nowMs: number, random: () => number): void {
    const before = this.facts;
    this.facts = facts;
    this.factsReadAtMs = nowMs;
    this.mostByWindows = Math.min(Infinity, ...(facts?.windows ?? []).map(inFlightFor));
    if (facts === null || before === null) return;
    const wasClosed = before.isPaused || before.openAtMs > nowMs;
    const closedUntil = facts.openAtMs;
    if (!wasClosed && closedUntil > nowMs && Number.isFinite(closedUntil)) this.halve(nowMs);
    if (closedUntil > nowMs && closedUntil !== before.openAtMs) this.notBeforeMs = closedUntil + random() * Math.min(1_000, (closedUntil - nowMs) * 0.1);
    if (closedUntil <= nowMs && before.openAtMs > nowMs) this.notBeforeMs = 0;
    if (closedUntil <= nowMs && wasClosed && !facts.isPaused) this.finishedPerSecond.clear();
  }

  /** Why nothing may pass now, or null. */
  closedBecause(nowMs: number): string | null {
    if (this.facts === null) return null;
    if (this.facts.isPaused) return 'paused';
    if (this.facts.openAtMs > nowMs) return this.facts.reason ?? 'throttled';
    return this.notBeforeMs !== Infinity && this.notBeforeMs > nowMs ? (this.facts.reason ?? 'throttled') : null;
  }

  /** How many more commands may be sent now. */
  room(nowMs: number): number {
    if (this.closedBecause(nowMs) !== null) return 0;
    return Math.max(0, this.cap(nowMs) - this.inFlight.size + this.answering);
  }

  cap(nowMs: number): number {
    if (this.isProbing) return 1;
    const measured = Math.floor(growth * this.finishedLately(nowMs) + spare);
    return Math.max(1, Math.min(this.mostInFlight, this.mostByWindows, measured, Math.floor(this.limit)));
  }

  /** Steps that are worth leasing into memory: what will probably pass while the lease lasts. */
  ahead(nowMs: number): number {
    return Math.min(this.mostInFlight, Math.ceil(leasedAhead + 2 * this.rate(nowMs)));
  }

  get hasBacklog(): boolean {
    return this.outside > 0 || this.backlog.length > 0;
  }

  /** Room that nobody has waited for. */
  roomForNewcomers(nowMs: number): number {
    return this.room(nowMs) - this.backlog.length - this.outside;
  }

  overflow(): void {
    this.outside += 1;
    this.overflows += 1;
  }

  /** `wanted` steps were asked for and these have come; fewer than wanted were all, if none has joined them meanwhile. */
  leased(items: readonly BacklogItem[], wanted: number, overflowsBefore: number): void {
    this.backlog.push(...items);
    this.isUnsure = false;
    if (items.length < wanted && this.overflows === overflowsBefore) this.outside = 0;
    else this.outside = Math.max(items.length < wanted ? 0 : 1, this.outside - items.length);
  }

  /** What this process wrote as waiting it keeps in memory too, if it will soon pass and nobody waits before it. */
  keeps(nowMs: number, alreadyKept: number): boolean {
    return this.facts !== null && this.outside === 0 && this.closedBecause(nowMs) === null && this.backlog.length + alreadyKept < this.ahead(nowMs);
  }

  /** Takes from memory what there is room for. Leases about to end are left to whoever leases next. */
  takeBacklog(nowMs: number, most: number): BacklogItem[] {
    let late = 0;
    while ((this.backlog[late]?.leasedUntilMs ?? Infinity) < nowMs + leaseMarginMs) late += 1;
    if (late > 0) {
      this.backlog.splice(0, late);
      this.outside += late;
    }
    return this.backlog.length === 0 ? [] : this.backlog.splice(0, Math.min(most, this.room(nowMs)));
  }

  /** Commands that finish per second at present; 0 when unknown. */
  rate(nowMs: number): number {
    return this.finishedLately(nowMs) / windowSeconds;
  }

  sent(dispatch: string, nowMs: number): void {
    this.inFlight.set(dispatch, nowMs);
  }

  /** An answer came: `done` says whether the provider worked for it. */
  answered(dispatch: string, how: 'done' | 'expired' | 'other', nowMs: number): void {
    this.inFlight.delete(dispatch);
    if (how === 'expired') {
      this.limit = Math.max(1, Math.floor(this.cap(nowMs) / 2));
      this.isThrottled = false;
      return;
    }
    if (how !== 'done') return;
    this.isProbing = false;
    const second = Math.floor(nowMs / 1_000);
    this.finishedPerSecond.set(second, (this.finishedPerSecond.get(second) ?? 0) + 1);
    this.limit += this.isThrottled ? 0.5 / this.limit : 1;
    if (this.limit >= this.mostInFlight) this.limit = Infinity;
  }

  /** As many in flight as now were more than the provider's limit takes in time; what is refused costs a command each. */
  private halve(nowMs: number): void {
    this.limit = Math.max(1, Math.floor(Math.min(this.cap(nowMs), this.inFlight.size || Infinity) / 2));
    this.isThrottled = true;
  }

  /** Commands were swept that nobody had started: one at a time until an answer comes. */
  probe(): void {
    this.isProbing = true;
  }

  private finishedLately(nowMs: number): number {
    const oldest = Math.floor(nowMs / 1_000) - windowSeconds;
    let sum = 0;
    for (const [second, count] of this.finishedPerSecond) {
      if (second <= oldest) this.finishedPerSecond.delete(second);
      else sum += count;
    }
    return sum;
  }
}

/** As many commands as keep a window busy: what is refused when it is used up costs a command each. */
function inFlightFor({ calls, windowMs }: CallWindow): number {
  return Math.max(spare, Math.ceil(calls * shareOfWindow), Math.ceil((calls * commandTakesMs) / windowMs));
}
