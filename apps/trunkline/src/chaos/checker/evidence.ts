import type { RepeatMethod } from '@trunkline/chain';

/** Everything the checker looks at, gathered from the simulators' files, the database and the log. Times are epoch milliseconds of one machine. */
export interface Evidence {
  readonly organisations: readonly OrganisationEvidence[];
  readonly receipts: readonly ReceiptEvidence[];
  readonly runs: ReadonlyMap<string, RunEvidence>;
  /** By run id. */
  readonly attempts: ReadonlyMap<string, readonly AttemptEvidence[]>;
  /** By run id. */
  readonly commands: ReadonlyMap<string, readonly CommandEvidence[]>;
  /** By run id. */
  readonly intents: ReadonlyMap<string, readonly IntentEvidence[]>;
  readonly effects: readonly EffectEvidence[];
  readonly records: readonly RecordEvidence[];
  readonly samples: readonly OffsetSample[];
  readonly letters: readonly LetterEvidence[];
  readonly calls: readonly CallWindowEvidence[];
  readonly pauses: readonly PauseEvidence[];
  readonly foreign: readonly ForeignEvidence[];
}

export interface OrganisationEvidence {
  readonly organisationId: string;
  readonly name: string;
  /** In the order of the chain. */
  readonly steps: readonly { readonly id: string; readonly provider: string; readonly recordType: string; readonly repeat: RepeatMethod; readonly ordering: 'none' | 'subject' }[];
}

export interface ReceiptEvidence {
  readonly organisationId: string;
  readonly eventId: string;
  readonly runId: string;
  readonly atMs: number;
}

export interface RunEvidence {
  readonly organisationId: string;
  readonly runId: string;
  readonly eventId: string;
  /** Runs of one subject keep their order where a step asks for it; null: the event had none. */
  readonly subject: string | null;
  readonly state: string;
  readonly steps: readonly { readonly id: string; readonly state: string; readonly dispatch: number; readonly reason: string | null }[];
  /** When the transaction that planned it was committed. */
  readonly plannedAtMs: number;
}

export interface AttemptEvidence {
  readonly stepId: string;
  readonly dispatch: number;
  readonly outcome: string;
  readonly code: string | null;
  /** When the call began; null where none was made. */
  readonly startedAtMs: number | null;
  /** When the transaction that recorded it was committed. */
  readonly committedAtMs: number;
  readonly worker: string | null;
}

export interface CommandEvidence {
  readonly kind: 'execute' | 'settle';
  readonly stepId: string;
  readonly dispatch: number;
  readonly integrationId: string;
  readonly appendedAtMs: number;
  /** When the step's first command passed its gate, by the ledger that let it through. */
  readonly firstAdmittedAtMs: number;
}

/** Who was first at a dispatch: a worker about to call (`open`), or whoever made sure that nobody will (`void`). */
export interface IntentEvidence {
  readonly stepId: string;
  readonly dispatch: number;
  readonly state: 'open' | 'void';
  readonly worker: string | null;
  readonly committedAtMs: number;
}

export interface EffectEvidence {
  readonly provider: string;
  readonly recordType: string;
  readonly kind: 'created' | 'updated' | 'deleted';
  readonly recordId: string;
  readonly eventId: string;
  readonly reference: string;
  readonly atMs: number;
}

/** One record of the log that a group must have taken care of before it passes it. */
export interface RecordEvidence {
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly runId: string;
  /** When it was durably taken care of; null: not at all. */
  readonly settledAtMs: number | null;
  readonly what: string;
}

/** How far a group said it was, read before `atMs`. */
export interface OffsetSample {
  readonly atMs: number;
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
  /** The next offset that it would read. */
  readonly committed: number;
}

export interface LetterEvidence {
  readonly organisationId: string;
  readonly runId: string | null;
  readonly stepId: string | null;
  readonly code: string;
  readonly isOpen: boolean;
}

export interface CallWindowEvidence {
  readonly provider: string;
  readonly pathPrefix: string;
  readonly limit: number;
  readonly windowMs: number;
  /** When each call arrived, in order. */
  readonly atMs: readonly number[];
}

/** An integration that somebody held by hand. */
export interface PauseEvidence {
  readonly integrationId: string;
  readonly name: string;
  /** When the gateway had confirmed it. */
  readonly fromMs: number;
  /** When it was first asked to let go. */
  readonly untilMs: number;
}

/** One question as one organisation, and what there was to be shown when it was asked. */
export interface ForeignEvidence {
  readonly asked: string;
  /** Null where it was no table that was asked. */
  readonly table: string | null;
  readonly organisationId: string;
  /** Rows shown. */
  readonly own: number;
  readonly foreign: number;
  /** Rows that were there, as the database's owner sees them. */
  readonly ownThere: number;
  readonly foreignThere: number;
  readonly example: string | null;
}
