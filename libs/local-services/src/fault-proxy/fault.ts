/** What may happen to the response of one request, after the target has handled that request. */
export type FaultKind =
  /** It is withheld and the connection is cut. */
  | 'drop'
  /** It and all that follows is withheld; the connection stays open. */
  | 'silence'
  /** Only its first bytes arrive, as a message of that length. */
  | 'truncate';

export interface Fault {
  readonly kind: FaultKind;
  matches(request: Buffer): boolean;
  happened(): void;
}
