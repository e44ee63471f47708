import type { Deadline } from './deadline.js';

export interface OutboundRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
  readonly deadline: Deadline;
  /** Asked in the same turn as the write to the socket; a text is the reason why nothing may be written any more. */
  readonly mayWrite?: () => string | null;
}

export interface Answer {
  readonly kind: 'answered';
  readonly status: number;
  /** Names in lower case; the first of repeated ones. */
  readonly headers: Readonly<Record<string, string>>;
  /** Decompressed, at most the cap. */
  readonly body: Buffer;
  readonly durationMs: number;
}

/** Why there is no whole answer. */
export type FailureReason =
  /** Name resolution, connection or TLS failed. */
  | 'unreachable'
  /** The address policy does not allow it. */
  | 'address-refused'
  | 'deadline'
  /** `mayWrite` said no. */
  | 'withheld'
  /** The connection ended before the answer was whole. */
  | 'cut'
  | 'too-large'
  /** Not HTTP, or a body that does not decompress. */
  | 'unreadable'
  /** The client of this process is closed. */
  | 'closed';

export interface Failure {
  readonly kind: 'failed';
  readonly reason: FailureReason;
  /** P4: once true, the provider may have acted on it. */
  readonly firstByteLeft: boolean;
  /** Tenants read it: no secret, and nothing of the operator's network. */
  readonly detail: string;
  /** Where the head of the answer came before it failed. */
  readonly status: number | null;
  readonly durationMs: number;
}

/** For the operator's log alone. */
export interface FailureInside {
  readonly host: string;
  readonly reason: FailureReason;
  readonly detail: string;
}

export type Exchange = Answer | Failure;
