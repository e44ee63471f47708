import type { Happening } from '@trunkline/chain';
import type { AcceptedEvent, StepResult } from '@trunkline/contracts';
import type { StoredRecord } from '@trunkline/event-log';
import type { LetterRow } from './letter.js';

/** One thing that a flush works into the ledger: a record of the log, or a row whose time has come. */
export type Item = EventItem | ResultItem | LetterItem | DueItem | SweepItem | VerbItem;

export interface EventItem {
  readonly kind: 'event';
  readonly organisationId: string;
  readonly runId: string;
  readonly record: StoredRecord;
  readonly event: AcceptedEvent;
  /** Append time on the log's clock: the accepted time of the run. */
  readonly acceptedAtMs: number;
  /** The same on the database's clock: decides the chain version. */
  readonly appendedAtMs: number;
}

export interface ResultItem {
  readonly kind: 'result';
  readonly organisationId: string;
  readonly runId: string;
  readonly record: StoredRecord;
  readonly result: StepResult;
}

/** A record nobody can work with; kept as it is. */
export interface LetterItem {
  readonly kind: 'letter';
  readonly organisationId: string;
  readonly runId: null;
  readonly letter: LetterRow;
}

export type DueKind = 'gate' | 'turn' | 'wake' | 'look-up' | 'start' | 'redrive' | 'give-up';

export interface DueItem {
  readonly kind: 'due';
  readonly due: DueKind;
  readonly organisationId: string;
  readonly runId: string;
  readonly stepId: string;
}

/** What a person asks for. */
export interface VerbItem {
  readonly kind: 'verb';
  readonly organisationId: string;
  readonly runId: string;
  readonly happening: Happening;
}

/** A dispatch is overdue and `results` has been read past its time (delivery §8). */
export interface SweepItem {
  readonly kind: 'sweep';
  readonly organisationId: string;
  readonly runId: string;
  readonly stepId: string;
  readonly dispatch: number;
}
