import { databaseClock, isBetter, type Databases, type MeasuredOffset } from '@trunkline/storage';

/** Now, on the database's clock, in epoch milliseconds; due times, leases and `startBefore` are compared with it alone (delivery §10). */
export interface LedgerClock {
  nowMs(): number;
  /** A time of the event log's clock, on the database's; the same where the log lives in the database. */
  fromLogMs(logMs: number): number;
  /** How wrong `fromLogMs` may be; Infinity while nobody knows. */
  readonly errorMs: number;
  measure(): Promise<void>;
  /** How far the log's clock is from the database's, where both are known. */
  driftMs(): number;
}

/** A log on a machine of its own is measured by the append times of its answers: half of a round trip, however long that took. */
const logErrorMs = 100;

/** Both clocks are measured against this process's own. `logOffsetMs`: null where the log lives in the database and has no clock of its own; its answer is null while that clock is unknown. */
export function measuredClock(databases: Pick<Databases, 'system'>, logOffsetMs: (() => number | null) | null, localNowMs: () => number = Date.now): LedgerClock {
  const database = databaseClock(databases.system, localNowMs);
  let known: MeasuredOffset = { offsetMs: 0, uncertaintyMs: Infinity };
  let measuredAtMs = 0;
  const offsetOfLog = (): number | null => logOffsetMs?.() ?? null;
  return {
    nowMs: () => Math.floor(localNowMs() + known.offsetMs),
    fromLogMs(logMs) {
      const log = offsetOfLog();
      return Math.floor(log === null ? logMs : logMs - log + known.offsetMs);
    },
    get errorMs() {
      const own = known.uncertaintyMs + 5;
      if (logOffsetMs === null) return own;
      return offsetOfLog() === null ? Infinity : own + logErrorMs;
    },
    driftMs: () => Math.abs((offsetOfLog() ?? known.offsetMs) - known.offsetMs),
    async measure() {
      const measured = await database.offset();
      const nowMs = performance.now();
      if (!isBetter(measured, known, nowMs - measuredAtMs)) return;
      known = measured;
      measuredAtMs = nowMs;
    },
  };
}
