import { databaseClock, type Databases } from '@trunkline/storage';

/** Now, on the database's clock, in epoch milliseconds; due times, leases and `startBefore` are compared with it alone (delivery §10). */
export interface LedgerClock {
  nowMs(): number;
  /** A time of the event log's clock, on the database's; the same where the log lives in the database. */
  fromLogMs(logMs: number): number;
  /** How wrong `fromLogMs` may be. */
  readonly errorMs: number;
  measure(): Promise<void>;
  /** How far the log's clock is from the database's, where both are known. */
  driftMs(): number;
}

/** Both clocks are measured against this process's own. */
export function measuredClock(databases: Pick<Databases, 'system'>, logOffsetMs: () => number | null, localNowMs: () => number = Date.now): LedgerClock {
  const database = databaseClock(databases.system, localNowMs);
  let offsetMs = 0;
  let uncertaintyMs = 0;
  return {
    nowMs: () => Math.floor(localNowMs() + offsetMs),
    fromLogMs(logMs) {
      const log = logOffsetMs();
      return Math.floor(log === null ? logMs : logMs - log + offsetMs);
    },
    get errorMs() {
      return uncertaintyMs + 5;
    },
    driftMs: () => Math.abs((logOffsetMs() ?? offsetMs) - offsetMs),
    async measure() {
      ({ offsetMs, uncertaintyMs } = await database.offset());
    },
  };
}
