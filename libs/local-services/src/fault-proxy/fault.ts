/** What may happen to one request or, after the target has handled it, to its response. */
export type FaultKind =
  /** The request never reaches the target, and is answered by the proxy. */
  | 'answered'
  /** The request never reaches the target; the connection is cut. */
  | 'lose'
  /** It is withheld and the connection is cut. */
  | 'drop'
  /** It and all that follows is withheld; the connection stays open. */
  | 'silence'
  /** Only its first bytes arrive, as a message of that length. */
  | 'truncate'
  /** Half of it arrives, then the client's connection is reset. */
  | 'reset-within'
  /** All of it arrives, then the client's connection is reset. */
  | 'reset-after';

export interface Fault {
  readonly kind: FaultKind;
  /** What the proxy answers, whole with its framing. */
  answer?(request: Buffer): Buffer;
  matches(request: Buffer): boolean;
  happened(): void;
}
