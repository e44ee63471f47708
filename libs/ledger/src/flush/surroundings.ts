import type { Databases } from '@trunkline/storage';
import type { LedgerClock } from '../clock.js';
import type { Gates } from '../gate/gates.js';
import type { ChainBook } from '../plan/chain-book.js';
import type { LedgerSettings } from '../settings.js';
import type { ActionCatalogue } from './catalogue.js';
import type { LoadedRun } from './decision.js';

export interface FlushSurroundings {
  readonly databases: Pick<Databases, 'system'>;
  readonly clock: LedgerClock;
  readonly random: () => number;
  readonly newId: () => string;
  readonly instance: string;
  readonly settings: LedgerSettings;
  readonly catalogue: ActionCatalogue;
  readonly chains: ChainBook;
  readonly gates: Gates;
  readonly runs: RunCache;
  /** False where nothing is sent: ready steps are left to the ledger's own processes. */
  readonly mayAdmit: boolean;
}

/** Runs as last written or read by this process; a stale one costs a reload, never correctness, since `rev` guards every write. */
export interface RunCache {
  get(key: string): LoadedRun | undefined;
  set(key: string, run: LoadedRun): void;
  delete(key: string): void;
}
