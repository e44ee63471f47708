import type { Pool } from 'pg';
import { classifyFailure } from './failure.js';

/** The one clock that stored times are compared with. */
export interface DatabaseClock {
  nowMs(): Promise<number>;
  /** Database time minus `Date.now()`, measured over the shortest of up to four round trips; it is wrong by at most `uncertaintyMs`. */
  offset(): Promise<MeasuredOffset>;
}

export interface MeasuredOffset {
  readonly offsetMs: number;
  readonly uncertaintyMs: number;
}

/** Whether a new measurement takes the place of one made `agoMs` before. Two clocks drift apart by less than a millisecond a second, so a poor one does not until the old has grown poorer. */
export function isBetter(measured: MeasuredOffset, before: MeasuredOffset, agoMs: number): boolean {
  return measured.uncertaintyMs <= before.uncertaintyMs + Math.max(5, agoMs / 1_000);
}

/** A round trip longer than this says little about the other clock: a database that stood still for seconds in the middle of it would set this process's off by half of that. */
const goodRoundTripMs = 50;
const mostRoundTrips = 4;

export function databaseClock(pool: Pick<Pool, 'query'>, localNowMs: () => number = Date.now): DatabaseClock {
  const nowMs = async (): Promise<number> => {
    try {
      const { rows } = await pool.query<{ now_ms: string }>('select (extract(epoch from clock_timestamp()) * 1000)::text as now_ms');
      return Math.floor(Number(rows[0]?.now_ms));
    } catch (error) {
      throw classifyFailure(error, 'reading the clock');
    }
  };
  const overOneRoundTrip = async (): Promise<MeasuredOffset> => {
    const before = localNowMs();
    const database = await nowMs();
    const after = localNowMs();
    return { offsetMs: database - (before + after) / 2, uncertaintyMs: (after - before) / 2 + 1 };
  };
  const offset = async (): Promise<MeasuredOffset> => {
    let best = await overOneRoundTrip();
    for (let asked = 1; asked < mostRoundTrips && best.uncertaintyMs > goodRoundTripMs / 2 + 1; asked += 1) {
      // A database that goes away now has answered once; that answer stands.
      const next = await overOneRoundTrip().catch(() => null);
      if (next === null) return best;
      if (next.uncertaintyMs < best.uncertaintyMs) best = next;
    }
    return best;
  };
  return { nowMs, offset };
}
