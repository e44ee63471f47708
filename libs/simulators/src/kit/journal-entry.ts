export type EffectKind = 'created' | 'updated' | 'deleted';

/** One effect of one write: what a checker needs to tell lost, doubled and out of order, and all a restart needs. */
export interface JournalEntry {
  readonly seq: number;
  /** ISO time on the simulator's clock. */
  readonly at: string;
  readonly provider: string;
  readonly operation: string;
  readonly method: string;
  readonly path: string;
  readonly kind: EffectKind;
  readonly recordType: string;
  readonly recordId: string;
  /** The id the provider gave this request, as its answer's header says. */
  readonly requestId: string;
  /** The caller's own x-request-id, when it sent one. */
  readonly clientRequestId?: string;
  /** Our reference, where the provider's definition says the record carries it. */
  readonly effectReference?: string;
  /** What was sent for this record. */
  readonly body: unknown;
  /** The record as it stands after the write; absent when nothing remains of it. */
  readonly record?: StoredRecord;
}

export type StoredRecord = Readonly<Record<string, unknown>>;
