import type { Send } from '@trunkline/connectors';
import type { Exchange, OutboundRequest } from '@trunkline/outbound';
import type { Budget, Grant } from './budget.js';

/** Calls promised by a budget, or when it may promise some, on the budget's clock. */
export type Granted = { readonly kind: 'granted'; readonly budget: Budget; readonly grant: Grant } | { readonly kind: 'denied'; readonly untilMs: number; readonly because: string };
type Promised = Extract<Granted, { readonly kind: 'granted' }>;

export interface PermitParts {
  readonly granted: Promised;
  /** One call more, if there is room for it so soon. */
  readonly again: (maxWaitMs: number) => Promise<Granted>;
  /** The budget's clock. */
  readonly nowMs: () => number;
  /** How long one call may wait for room of its own. */
  readonly maxWaitMs: number;
  /** Gives back whatever else came with it. */
  readonly release: () => void;
  /** A call was given up in front of the socket and asks anew. */
  readonly late: () => void;
}

/** A call written so long after the moment it was granted for is given up and asks anew: what is stored for the next owner may not count it any more. */
const staleAfterMs = 1_000;

/** The calls that one command may make. Each is counted as it is written; one whose moment has passed, or that nobody foresaw, has to find room of its own first. */
export class Permit {
  /** Set when a call found no room in time: on the budget's clock, when there is some. */
  fullUntilMs: number | null = null;
  private readonly promised: Promised[];
  private hasEnded = false;

  constructor(private readonly parts: PermitParts) {
    this.promised = [parts.granted];
  }

  /** How long until the moment the calls were granted for. */
  get waitMs(): number {
    return Math.max(0, this.parts.granted.grant.atMs - this.parts.nowMs());
  }

  /** Every call but those for tokens goes through here, look-ups and repeats with a new token too. */
  readonly meter = async (request: OutboundRequest, send: Send): Promise<Exchange> => {
    const giveUpAtMs = this.parts.nowMs() + this.parts.maxWaitMs;
    let exchange: Exchange = { kind: 'failed', reason: 'withheld', firstByteLeft: false, detail: noRoom, status: null, durationMs: 0 };
    for (let promised: Promised | null = this.promised.find(({ grant }) => grant.left > 0) ?? null; ; ) {
      promised ??= await this.another(Math.min(giveUpAtMs - this.parts.nowMs(), request.deadline.leftMs()));
      if (promised === null) return exchange;
      const attempt = await this.attempt(request, send, promised);
      if (!attempt.isLate) return attempt.exchange;
      ({ exchange } = attempt);
      promised.budget.giveBack(promised.grant, 1);
      promised = null;
      this.parts.late();
    }
  };

  end(): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    for (const { budget, grant } of this.promised) budget.giveBack(grant);
    this.parts.release();
  }

  private async attempt(request: OutboundRequest, send: Send, { budget, grant }: Promised): Promise<{ readonly exchange: Exchange; readonly isLate: boolean }> {
    const { nowMs } = this.parts;
    let state: 'not asked' | 'begun' | 'late' = 'not asked';
    // P6: in the same turn as the write to the socket, so that nothing but a freeze of the whole process can come between.
    const mayWrite = (): string | null => {
      const withheld = request.mayWrite?.() ?? null;
      if (withheld !== null) return withheld;
      state = nowMs() - grant.atMs <= staleAfterMs && budget.start(grant, nowMs()) ? 'begun' : 'late';
      return state === 'begun' ? null : noRoom;
    };
    const isNow = (wanted: typeof state): boolean => state === wanted;
    try {
      const exchange = await send({ ...request, mayWrite });
      return { exchange, isLate: isNow('late') };
    } finally {
      if (isNow('begun')) budget.ended(nowMs());
    }
  }

  private async another(maxWaitMs: number): Promise<Promised | null> {
    const granted = await this.parts.again(Math.max(0, maxWaitMs));
    if (granted.kind === 'denied') {
      this.fullUntilMs = granted.untilMs;
      return null;
    }
    this.promised.push(granted);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, granted.grant.atMs - this.parts.nowMs())));
    return granted;
  }
}

const noRoom = 'the limit of calls has no room at this moment';
