import type { Send } from '@trunkline/connectors';
import type { Exchange, OutboundRequest } from '@trunkline/outbound';
import type { Budget, Grant } from './budget.js';

export interface PermitParts {
  readonly budget: Budget;
  readonly grant: Grant;
  /** The budget's clock. */
  readonly nowMs: () => number;
  /** How long one call may wait for room of its own. */
  readonly maxWaitMs: number;
  /** Gives back whatever else came with it. */
  readonly release: () => void;
  /** Something began or ended: to be stored. */
  readonly changed: () => void;
  /** A call was given up in front of the socket and asks anew. */
  readonly late: () => void;
}

/** The calls that one command may make. Each is counted as it is written; one whose moment has passed, or that nobody foresaw, has to find room of its own first. */
export class Permit {
  /** Set when a call found no room in time: on the budget's clock, when there is some. */
  fullUntilMs: number | null = null;
  private readonly grants: Grant[];
  private hasEnded = false;

  constructor(private readonly parts: PermitParts) {
    this.grants = [parts.grant];
  }

  /** How long until the moment the calls were granted for. */
  get waitMs(): number {
    return Math.max(0, this.parts.grant.atMs - this.parts.nowMs());
  }

  /** Every call but those for tokens goes through here, look-ups and repeats with a new token too. */
  readonly meter = async (request: OutboundRequest, send: Send): Promise<Exchange> => {
    const giveUpAtMs = this.parts.nowMs() + this.parts.maxWaitMs;
    for (let grant = this.current(); ; ) {
      const { exchange, isFull } = await this.attempt(request, send, grant);
      if (!isFull) return exchange;
      this.parts.late();
      const next = this.renew(grant, Math.min(giveUpAtMs - this.parts.nowMs(), request.deadline.leftMs()));
      if (next === null) return exchange;
      grant = next;
      await new Promise((resolve) => setTimeout(resolve, Math.max(1, next.atMs - this.parts.nowMs())));
    }
  };

  end(): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    for (const grant of this.grants) this.parts.budget.giveBack(grant);
    this.parts.release();
  }

  private current(): Grant {
    return this.grants.find(({ left }) => left > 0) ?? this.parts.grant;
  }

  private async attempt(request: OutboundRequest, send: Send, grant: Grant): Promise<{ readonly exchange: Exchange; readonly isFull: boolean }> {
    const { budget, nowMs } = this.parts;
    let state: 'not asked' | 'begun' | 'full' = 'not asked';
    // P6: in the same turn as the write to the socket, so that nothing but a freeze of the whole process can come between.
    const mayWrite = (): string | null => {
      const withheld = request.mayWrite?.() ?? null;
      if (withheld !== null) return withheld;
      state = budget.start(grant, nowMs()) ? 'begun' : 'full';
      return state === 'begun' ? null : 'the limit of calls has no room at this moment';
    };
    const isIn = (wanted: typeof state): boolean => state === wanted;
    try {
      const exchange = await send({ ...request, mayWrite });
      return { exchange, isFull: isIn('full') };
    } finally {
      if (isIn('begun')) budget.ended(nowMs());
      this.parts.changed();
    }
  }

  private renew(grant: Grant, maxWaitMs: number): Grant | null {
    const { budget, nowMs } = this.parts;
    budget.giveBack(grant, 1);
    const reservation = budget.reserve(1, nowMs(), Math.max(0, maxWaitMs));
    if (reservation.kind === 'granted') {
      this.grants.push(reservation.grant);
      return reservation.grant;
    }
    this.fullUntilMs = reservation.untilMs;
    return null;
  }
}
