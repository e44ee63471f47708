import type { JournalEntry, StoredRecord } from './journal-entry.js';

export interface RecordIndex {
  readonly recordType: string;
  readonly name: string;
  /** The values a record is found by; lower-cased or trimmed here if the provider does so. */
  valuesOf(record: StoredRecord): readonly string[];
}

type Ids = Set<string>;

/** The provider's records in memory, in order of creation, with exact-match indexes. Changed by journal entries only. */
export class RecordStore {
  private readonly tables = new Map<string, Map<string, StoredRecord>>();
  private readonly createdCounts = new Map<string, number>();
  private readonly indexed = new Map<string, Map<string, Ids>>();
  private readonly indexesByType = new Map<string, RecordIndex[]>();

  constructor(indexes: readonly RecordIndex[] = []) {
    for (const index of indexes) {
      this.indexed.set(indexKey(index.recordType, index.name), new Map());
      this.indexesByType.set(index.recordType, [...(this.indexesByType.get(index.recordType) ?? []), index]);
    }
  }

  apply(entry: Pick<JournalEntry, 'kind' | 'recordType' | 'recordId' | 'record'>): void {
    if (entry.kind === 'created') this.createdCounts.set(entry.recordType, this.createdCount(entry.recordType) + 1);
    this.put(entry.recordType, entry.recordId, entry.record);
  }

  /** Takes an entry back that was never journaled: a part of a transaction that failed. */
  undo(entry: JournalEntry, before: StoredRecord | undefined): void {
    if (entry.kind === 'created') this.createdCounts.set(entry.recordType, this.createdCount(entry.recordType) - 1);
    this.put(entry.recordType, entry.recordId, before);
  }

  get(recordType: string, id: string): StoredRecord | undefined {
    return this.tables.get(recordType)?.get(id);
  }

  /** In order of creation. */
  all(recordType: string): IterableIterator<StoredRecord> {
    return this.table(recordType).values();
  }

  size(recordType: string): number {
    return this.tables.get(recordType)?.size ?? 0;
  }

  types(): readonly string[] {
    return [...this.tables.keys()];
  }

  find(recordType: string, indexName: string, value: string): readonly StoredRecord[] {
    const ids = this.indexed.get(indexKey(recordType, indexName))?.get(value);
    if (ids === undefined) return [];
    const found: StoredRecord[] = [];
    for (const id of ids) {
      const record = this.get(recordType, id);
      if (record !== undefined) found.push(record);
    }
    return found;
  }

  /** How many were ever created: ids count on from here, also after a restart. */
  createdCount(recordType: string): number {
    return this.createdCounts.get(recordType) ?? 0;
  }

  private put(recordType: string, id: string, record: StoredRecord | undefined): void {
    const table = this.table(recordType);
    const before = table.get(id);
    if (record === undefined) table.delete(id);
    else table.set(id, record);
    for (const index of this.indexesByType.get(recordType) ?? []) this.reindex(index, id, before, record);
  }

  private reindex(index: RecordIndex, id: string, before: StoredRecord | undefined, after: StoredRecord | undefined): void {
    const values = this.indexed.get(indexKey(index.recordType, index.name));
    if (values === undefined) return;
    for (const value of before === undefined ? [] : index.valuesOf(before)) {
      const ids = values.get(value);
      ids?.delete(id);
      if (ids?.size === 0) values.delete(value);
    }
    for (const value of after === undefined ? [] : index.valuesOf(after)) {
      const ids = values.get(value);
      if (ids === undefined) values.set(value, new Set([id]));
      else ids.add(id);
    }
  }

  private table(recordType: string): Map<string, StoredRecord> {
    let table = this.tables.get(recordType);
    if (table === undefined) this.tables.set(recordType, (table = new Map()));
    return table;
  }
}

function indexKey(recordType: string, name: string): string {
  return `${recordType}/${name}`;
}
