import type { Call } from './call.js';
import type { Journal } from './journal.js';
import type { JournalEntry, StoredRecord } from './journal-entry.js';
import type { Effect, ProviderDefinition } from './provider.js';
import type { RecordStore } from './record-store.js';

interface Staged {
  readonly entry: JournalEntry;
  readonly before: StoredRecord | undefined;
}

/** Turns effects into journal entries, in the order of their sequence numbers, and applies them to the records. */
export class EffectLog {
  private staged: Staged[] | undefined;

  constructor(
    private readonly provider: Pick<ProviderDefinition, 'id' | 'effectReference'>,
    private readonly store: RecordStore,
    private readonly journal: Journal,
    private lastSeq: number,
  ) {}

  get last(): number {
    return this.lastSeq;
  }

  commit(call: Call, effect: Effect): void {
    const before = this.store.get(effect.recordType, effect.recordId);
    const entry = this.entryOf(call, effect, before);
    this.lastSeq = entry.seq;
    this.store.apply(entry);
    if (this.staged === undefined) this.journal.append(entry);
    else this.staged.push({ entry, before });
  }

  allOrNothing(work: () => boolean): boolean {
    if (this.staged !== undefined) return work();
    const staged: Staged[] = [];
    this.staged = staged;
    let isDone = false;
    try {
      isDone = work();
    } finally {
      this.staged = undefined;
      if (isDone) for (const { entry } of staged) this.journal.append(entry);
      else this.takeBack(staged);
    }
    return isDone;
  }

  private takeBack(staged: readonly Staged[]): void {
    for (const { entry, before } of staged.toReversed()) {
      this.store.undo(entry, before);
      this.lastSeq = entry.seq - 1;
    }
  }

  private entryOf(call: Call, effect: Effect, before: StoredRecord | undefined): JournalEntry {
    const clientRequestId = call.headers['x-request-id'];
    const shown = effect.record ?? before;
    const effectReference = shown === undefined ? undefined : this.provider.effectReference(effect.recordType, shown, effect.body);
    return {
      seq: this.lastSeq + 1,
      at: new Date(call.at).toISOString(),
      provider: this.provider.id,
      operation: call.operation,
      method: call.method,
      path: call.path,
      kind: effect.kind,
      recordType: effect.recordType,
      recordId: effect.recordId,
      requestId: call.requestId,
      ...(typeof clientRequestId === 'string' ? { clientRequestId } : {}),
      ...(effectReference === undefined ? {} : { effectReference }),
      body: effect.body,
      ...(effect.record === undefined ? {} : { record: effect.record }),
    };
  }
}
