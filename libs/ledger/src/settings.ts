/** Every number of the ledger that an operator may want to change; the defaults are the documented ones. */
export interface LedgerSettings {
  /** At most so many records and due items in one transaction; steps that their gate lets through join them, a quarter of it at most where it is full. */
  readonly flushItems: number;
  /** A command is not started later than this after it was sent; at least three times the expected queueing is added. */
  readonly startWithinMs: number;
  /** The sweeper waits so long past `startBefore` and deadline. */
  readonly sweepAfterMs: number;
  /** From the first time a step could have run; then it is parked with its gate's reason. */
  readonly maxWaitMs: number;
  /** An unsent dispatch is sent by any instance after this. */
  readonly resendAfterMs: number;
  /** What a claimed row is safe from other instances for. */
  readonly leaseMs: number;
  readonly duePollMs: number;
  readonly gatePollMs: number;
  readonly clockPollMs: number;
  /** What has been in flight for longer is looked up: another instance may have taken its answer. */
  readonly recountAfterMs: number;
  /** Most commands in flight per integration and instance. */
  readonly gateCap: number;
  /** Runs kept in memory so that their results need no reading. */
  readonly cachedRuns: number;
  /** Repeats of a flush after 40P01 or 40001 before its records are handed back. */
  readonly conflictRepeats: number;
  readonly keepRunsDays: number;
  readonly keepCallsDays: number;
  readonly retentionPollMs: number;
}

const day = 24 * 60 * 60 * 1000;

export const defaultSettings: LedgerSettings = {
  flushItems: 500,
  startWithinMs: 60_000,
  sweepAfterMs: 5_000,
  maxWaitMs: 7 * day,
  resendAfterMs: 2_000,
  leaseMs: 10_000,
  duePollMs: 250,
  gatePollMs: 1_000,
  clockPollMs: 10_000,
  recountAfterMs: 2_000,
  gateCap: 512,
  cachedRuns: 5_000,
  conflictRepeats: 20,
  keepRunsDays: 30,
  keepCallsDays: 14,
  retentionPollMs: day / 4,
};

/** The defaults with what was given; a setting given as undefined counts as not given, or retention would keep nothing. */
export function settingsFrom(given: Partial<LedgerSettings> = {}): LedgerSettings {
  return { ...defaultSettings, ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) };
}
