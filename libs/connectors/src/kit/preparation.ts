import type { CallTemplate } from './call-template.js';

/**
 * A call that has to come before the write or the search, to learn an id. It reads, or it is an upsert on a key of its own, so that it may be repeated freely;
 * the step's one effect is the write. Its failure is never an `unknown`: the write has not been sent.
 */
export interface Preparation {
  /** Its value is read as `{prepared.<name>}`. */
  readonly name: string;
  /** When the input gives the value already, no call is made. */
  readonly given: string;
  readonly call: CallTemplate;
  /** Why it is harmless to repeat. */
  readonly harmless: 'reads' | 'upserts';
  /** Path of the value in the answer's body. */
  readonly take: string;
  /** Statuses that say there is no such thing; a search then has found nothing. */
  readonly absentOn?: readonly number[];
}
