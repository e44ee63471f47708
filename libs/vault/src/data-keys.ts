export interface StoredDataKey {
  readonly id: string;
  /** Null once it was destroyed: what it sealed can never be opened again. */
  readonly wrapped: Buffer | null;
}

/** Where wrapped data keys are kept, each under its organisation. */
export interface DataKeys {
  /** The one that seals now; null before the first secret. */
  current(organisationId: string): Promise<StoredDataKey | null>;
  find(organisationId: string, id: string): Promise<StoredDataKey | null>;
  /** Makes this key the current one, unless another process replaced the same key first. Answers with what is current afterwards. */
  add(organisationId: string, key: StoredDataKey, replaces: string | null): Promise<StoredDataKey>;
}
