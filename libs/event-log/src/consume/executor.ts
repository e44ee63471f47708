import type { RecordOutcome, StoredRecord } from '../port.js';
import type { HeldPartition, Work } from './held-partition.js';

/** Decides which waiting record is worked on when; the consumption around it knows partitions, commits and the group. */
export interface Executor {
  accept(works: readonly Work[]): void;
  /** The partition is no longer ours: drops what waits of it. */
  forget(held: HeldPartition): void;
  /** A topic was resumed. */
  wake(): void;
  /** Starts nothing from here on. */
  stop(): void;
  /** Monotonic; when the call of the handler began that has not returned for longest. Null while none is under way. */
  busySinceMs(): number | null;
}

/** What an executor needs of the consumption. */
export interface Surroundings {
  mayStart(held: HeldPartition): boolean;
  /** Makes the outcome true: resolves once the offsets may be passed (P3), a dead letter being durable on its topic. */
  settle(records: readonly StoredRecord[], outcomes: readonly RecordOutcome[]): Promise<void>;
  /** Something finished or started: commits and flow are looked at again. */
  moved(helds: Iterable<HeldPartition>): void;
  report(error: unknown, records: readonly StoredRecord[]): void;
}
