import type { Databases } from '@trunkline/storage';
import { databaseLeases, type Lease, type Leases } from './leases.js';

export const rateWindowSeconds = 60;

export interface RateVerdict {
  readonly isAdmitted: boolean;
  readonly quota: number;
  /** Of everybody's quota, as far as this gateway knows. */
  readonly remaining: number;
  readonly resetSeconds: number;
}

export interface RateLimiterTimes {
  /** How long a request waits for a slice before this gateway goes on alone. */
  readonly waitMs: number;
  /** After a failure the database is left alone for so long. */
  readonly pauseMs: number;
}

interface Bucket {
  quota: number;
  /** May still be used here. */
  inHand: number;
  /** What the window has left to lease, as last heard. */
  left: number;
  endsAtMs: number;
  /** Given out here in this window and in the one before it. */
  granted: number;
  grantedBefore: number;
  /** Served on credit before anything was leased. */
  owed: number;
  /** Asked for by requests that wait for a slice. */
  waiting: number;
  leasing: Promise<void> | null;
}

/** A twentieth: at most twenty questions a window and subject, and as little stranded in a gateway that does not need it. */
const slices = 20;
const capacity = 100_000;
const times: RateLimiterTimes = { waitMs: 250, pauseMs: 1_000 };

/**
 * Limits shared by all gateways without a question per request: each leases a slice of the window's quota and gives it out from memory, and leases the next before it runs out.
 * Together they admit no more than the quota. While the database is away each goes on alone with as much per window as it had in the last one, never more than the quota.
 */
export class RateLimiter {
  private readonly buckets = new Map<string, Bucket>();
  private leaveAloneUntilMs = 0;

  constructor(
    private readonly leases: Leases,
    private readonly nowMs: () => number,
    private readonly times: RateLimiterTimes,
  ) {}

  /** At once where there is something in hand. `onCredit`: a subject seen for the first time is served its first slice without a question, so that a flood of strangers is not a flood of queries. */
  take(subject: string, quota: number, amount = 1, onCredit = false): RateVerdict | Promise<RateVerdict> {
    const bucket = this.bucketOf(subject, quota, onCredit);
    const now = this.nowMs();
    if (now >= bucket.endsAtMs) {
      if (!onCredit) return this.takeLater(subject, bucket, amount, 0);
      this.open(bucket, { granted: sliceOf(quota), left: quota - sliceOf(quota), endsInMs: this.leases.windowMs });
      bucket.owed = bucket.inHand;
    }
    if (bucket.inHand >= amount) {
      bucket.inHand -= amount;
      if (bucket.inHand < sliceOf(quota) / 2 && bucket.left > 0 && bucket.leasing === null && now >= this.leaveAloneUntilMs) void this.lease(subject, bucket);
      return this.verdict(bucket, true);
    }
    // Nothing here and nothing there: no question can help before the window ends.
    if (bucket.left <= 0 && bucket.leasing === null) return this.verdict(bucket, false);
    return this.takeLater(subject, bucket, amount, 0);
  }

  /** Whether its quota is used up, as far as is known here; asks nobody. */
  isSpent(subject: string): RateVerdict | null {
    const bucket = this.buckets.get(subject);
    return bucket === undefined || this.nowMs() >= bucket.endsAtMs || bucket.inHand > 0 || bucket.left > 0 || bucket.leasing !== null ? null : this.verdict(bucket, false);
  }

  sweep(): Promise<void> {
    return this.leases.sweep();
  }

  private async takeLater(subject: string, bucket: Bucket, amount: number, turn: number): Promise<RateVerdict> {
    bucket.waiting += amount;
    await this.lease(subject, bucket);
    bucket.waiting -= amount;
    if (bucket.inHand >= amount) {
      bucket.inHand -= amount;
      return this.verdict(bucket, true);
    }
    // Others who waited for the same slice were first.
    return bucket.left > 0 && turn < 5 ? this.takeLater(subject, bucket, amount, turn + 1) : this.verdict(bucket, false);
  }

  /** One question at a time per subject. */
  private lease(subject: string, bucket: Bucket): Promise<void> {
    bucket.leasing ??= this.ask(subject, bucket, Math.min(bucket.quota, Math.max(sliceOf(bucket.quota), bucket.waiting) + bucket.owed)).finally(() => {
      bucket.leasing = null;
    });
    return bucket.leasing;
  }

  private async ask(subject: string, bucket: Bucket, wanted: number): Promise<void> {
    if (this.nowMs() < this.leaveAloneUntilMs) return this.goOnAlone(bucket);
    try {
      this.receive(bucket, await within(this.times.waitMs, this.leases.lease(subject, wanted, bucket.quota)));
    } catch {
      // Whatever went wrong, requests go on: the database's absence is told by /readyz.
      this.leaveAloneUntilMs = this.nowMs() + this.times.pauseMs;
      this.goOnAlone(bucket);
    }
  }

  private receive(bucket: Bucket, lease: Lease): void {
    if (this.nowMs() >= bucket.endsAtMs) return this.open(bucket, lease);
    const paid = Math.min(bucket.owed, lease.granted);
    bucket.owed -= paid;
    bucket.inHand += lease.granted - paid;
    bucket.granted += lease.granted - paid;
    bucket.left = lease.left;
    bucket.endsAtMs = this.nowMs() + lease.endsInMs;
  }

  private goOnAlone(bucket: Bucket): void {
    const share = (before: number): number => Math.min(bucket.quota, Math.max(sliceOf(bucket.quota), before));
    if (this.nowMs() >= bucket.endsAtMs) return this.open(bucket, { granted: share(bucket.granted), left: 0, endsInMs: this.leases.windowMs });
    const more = Math.max(0, share(bucket.grantedBefore) - bucket.granted);
    bucket.inHand += more;
    bucket.granted += more;
    bucket.left = 0;
  }

  private open(bucket: Bucket, { granted, left, endsInMs }: Lease): void {
    Object.assign(bucket, { inHand: granted, left, endsAtMs: this.nowMs() + endsInMs, grantedBefore: bucket.granted, granted, owed: 0 });
  }

  private verdict(bucket: Bucket, isAdmitted: boolean): RateVerdict {
    return { isAdmitted, quota: bucket.quota, remaining: Math.max(0, Math.floor(bucket.inHand + bucket.left)), resetSeconds: Math.max(1, Math.ceil((bucket.endsAtMs - this.nowMs()) / 1_000)) };
  }

  private bucketOf(subject: string, quota: number, onCredit: boolean): Bucket {
    let bucket = this.buckets.get(subject);
    if (bucket === undefined) {
      bucket = { quota, inHand: 0, left: 0, endsAtMs: 0, granted: 0, grantedBefore: 0, owed: 0, waiting: 0, leasing: null };
      this.buckets.set(subject, bucket);
      const oldest = this.buckets.keys().next();
      if (this.buckets.size > capacity && !oldest.done) this.buckets.delete(oldest.value);
    }
    bucket.quota = quota;
    if (!onCredit) bucket.owed = 0;
    return bucket;
  }
}

export interface RateLimiterOptions {
  readonly databases: Pick<Databases, 'access'>;
  readonly nowMs?: () => number;
  readonly times?: Partial<RateLimiterTimes>;
  /** What is counted together; longer for who must not meet the end of a minute. */
  readonly windowSeconds?: number;
}

export function createRateLimiter({ databases, nowMs = Date.now, times: given = {}, windowSeconds = rateWindowSeconds }: RateLimiterOptions): RateLimiter {
  return new RateLimiter(databaseLeases(databases, windowSeconds), nowMs, { ...times, ...given });
}

function sliceOf(quota: number): number {
  return Math.max(1, Math.ceil(quota / slices));
}

async function within<T>(waitMs: number, asked: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${waitMs} ms`)), waitMs);
  });
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
  }
}
