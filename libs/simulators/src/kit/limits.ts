export type LimitSetting = 'vendor' | 'off' | { readonly perMinute: number };

export interface LimitRule {
  /** The provider's own name of the limit. */
  readonly name: string;
  readonly allowed: number;
  readonly windowMs: number;
  /** `fixed` starts with the first call in it; `rolling` looks back from each call. */
  readonly window: 'fixed' | 'rolling';
  readonly countedPer: 'token' | 'organisation';
}

export interface VendorLimits {
  readonly rules: readonly LimitRule[];
  readonly concurrentCalls?: number;
}

export interface Usage {
  readonly rule: LimitRule;
  readonly used: number;
  readonly resetMs: number;
}

export interface Admission {
  readonly refusedBy?: Usage | { readonly concurrentCalls: number };
  /** The first rule's state, for the headers on every answer. */
  readonly usage?: Usage;
}

export interface WindowCount {
  readonly limit: string;
  readonly countedFor: string;
  readonly startedAt: string;
  readonly windowMs: number;
  calls: number;
  refused: number;
}

const rollingSlices = 96;
const keptWindows = 5_000;

/** Counts calls in the provider's windows on the simulator's clock. A restart begins with fresh windows. */
export class Limiter {
  private readonly counters = new Map<string, Counter>();
  private readonly history: WindowCount[] = [];

  constructor(
    private readonly vendor: VendorLimits,
    private setting: LimitSetting,
  ) {}

  get current(): LimitSetting {
    return this.setting;
  }

  change(setting: LimitSetting): void {
    this.setting = setting;
    this.counters.clear();
  }

  /** `inHand` counts this call too. */
  admit(token: string, atMs: number, inHand: number): Admission {
    if (this.setting === 'vendor' && this.vendor.concurrentCalls !== undefined && inHand > this.vendor.concurrentCalls) {
      return { refusedBy: { concurrentCalls: this.vendor.concurrentCalls } };
    }
    const counters = this.rules().map((rule) => this.counterFor(rule, rule.countedPer === 'token' ? token : 'organisation', atMs));
    const full = this.setting === 'off' ? undefined : counters.find((counter) => counter.isFull(atMs));
    for (const counter of full === undefined ? counters : []) counter.count(atMs);
    full?.refuse();
    // Without limits there is nothing left to tell: a header with the vendor's number would make callers wait for it.
    const usage = this.setting === 'off' ? undefined : counters[0]?.usage(atMs);
    return full === undefined ? { usage } : { refusedBy: full.usage(atMs), usage };
  }

  /** Of the first rule, for the whole organisation. */
  usage(atMs: number): Usage | undefined {
    const [rule] = this.rules();
    return rule === undefined ? undefined : this.counterFor(rule, 'organisation', atMs).usage(atMs);
  }

  windows(): readonly WindowCount[] {
    return this.history;
  }

  private rules(): readonly LimitRule[] {
    const [first] = this.vendor.rules;
    if (typeof this.setting === 'string' || first === undefined) return this.vendor.rules;
    return [{ ...first, allowed: this.setting.perMinute, windowMs: 60_000, window: 'fixed' }];
  }

  private counterFor(rule: LimitRule, countedFor: string, atMs: number): Counter {
    const key = `${rule.name} ${countedFor}`;
    const known = this.counters.get(key);
    if (known !== undefined) return known;
    if (this.counters.size > 1_000) this.forgetEnded(atMs);
    const counter = rule.window === 'fixed' ? new FixedWindow(rule, this.keep(countedFor)) : new RollingWindow(rule, this.keep(countedFor));
    this.counters.set(key, counter);
    return counter;
  }

  private forgetEnded(atMs: number): void {
    for (const [key, counter] of this.counters) if (counter.hasEnded(atMs)) this.counters.delete(key);
  }

  private keep(countedFor: string): (rule: LimitRule, startedAtMs: number, windowMs: number) => WindowCount {
    return (rule, startedAtMs, windowMs) => {
      const shown = countedFor === 'organisation' ? countedFor : `token …${countedFor.slice(-6)}`;
      const window: WindowCount = { limit: rule.name, countedFor: shown, startedAt: new Date(startedAtMs).toISOString(), windowMs, calls: 0, refused: 0 };
      this.history.push(window);
      if (this.history.length > keptWindows) this.history.shift();
      return window;
    };
  }
}

type Keep = (rule: LimitRule, startedAtMs: number, windowMs: number) => WindowCount;

interface Counter {
  isFull(atMs: number): boolean;
  count(atMs: number): void;
  refuse(): void;
  usage(atMs: number): Usage;
  hasEnded(atMs: number): boolean;
}

class FixedWindow implements Counter {
  private endsAtMs = Number.NEGATIVE_INFINITY;
  private shown: WindowCount | undefined;

  constructor(
    private readonly rule: LimitRule,
    private readonly keep: Keep,
  ) {}

  isFull(atMs: number): boolean {
    return !this.hasEnded(atMs) && (this.shown?.calls ?? 0) >= this.rule.allowed;
  }

  count(atMs: number): void {
    if (this.hasEnded(atMs)) {
      this.endsAtMs = atMs + this.rule.windowMs;
      this.shown = this.keep(this.rule, atMs, this.rule.windowMs);
    }
    if (this.shown !== undefined) this.shown.calls += 1;
  }

  refuse(): void {
    if (this.shown !== undefined) this.shown.refused += 1;
  }

  usage(atMs: number): Usage {
    const isOver = this.hasEnded(atMs);
    return { rule: this.rule, used: isOver ? 0 : (this.shown?.calls ?? 0), resetMs: isOver ? this.rule.windowMs : this.endsAtMs - atMs };
  }

  hasEnded(atMs: number): boolean {
    return atMs >= this.endsAtMs;
  }
}

class RollingWindow implements Counter {
  private slices: { startedAtMs: number; shown: WindowCount }[] = [];
  private used = 0;

  constructor(
    private readonly rule: LimitRule,
    private readonly keep: Keep,
  ) {}

  isFull(atMs: number): boolean {
    this.forget(atMs);
    return this.used >= this.rule.allowed;
  }

  count(atMs: number): void {
    this.forget(atMs);
    const sliceMs = Math.ceil(this.rule.windowMs / rollingSlices);
    const startedAtMs = atMs - (atMs % sliceMs);
    let slice = this.slices.at(-1);
    if (slice === undefined || slice.startedAtMs < startedAtMs) {
      slice = { startedAtMs, shown: this.keep(this.rule, startedAtMs, sliceMs) };
      this.slices.push(slice);
    }
    slice.shown.calls += 1;
    this.used += 1;
  }

  refuse(): void {
    const slice = this.slices.at(-1);
    if (slice !== undefined) slice.shown.refused += 1;
  }

  usage(atMs: number): Usage {
    const oldest = this.slices[0]?.startedAtMs ?? atMs;
    return { rule: this.rule, used: this.used, resetMs: Math.max(0, oldest + this.rule.windowMs - atMs) };
  }

  hasEnded(atMs: number): boolean {
    this.forget(atMs);
    return this.slices.length === 0;
  }

  private forget(atMs: number): void {
    for (let oldest = this.slices[0]; oldest !== undefined && oldest.startedAtMs + this.rule.windowMs <= atMs; oldest = this.slices[0]) {
      this.used -= oldest.shown.calls;
      this.slices.shift();
    }
  }
}
