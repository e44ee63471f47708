import { beginning, hashOf, type StoredEntry } from './entry.js';

export type Verdict =
  | { readonly kind: 'whole'; readonly entries: number; /** Keep it elsewhere: with it, a trail that was cut off at its end shows too. */ readonly head: string }
  | { readonly kind: 'broken'; readonly seq: number; readonly says: string };

/** Checks entry after entry as they come in; memory does not grow with the trail. */
export class Verification {
  private seq = 0;
  private hash = beginning;

  constructor(private readonly organisationId: string) {}

  /** Null while everything fits. */
  next(entry: StoredEntry): Extract<Verdict, { kind: 'broken' }> | null {
    const seq = this.seq + 1;
    if (entry.seq !== seq) return { kind: 'broken', seq, says: `entry ${seq} is missing; the next one has number ${entry.seq}` };
    if (hashOf(this.hash, this.organisationId, entry.seq, entry.content) !== entry.hash) return { kind: 'broken', seq, says: `entry ${seq}, or the one before it, is not what was written` };
    this.seq = seq;
    this.hash = entry.hash;
    return null;
  }

  end(): Verdict {
    return { kind: 'whole', entries: this.seq, head: `${this.seq}:${this.hash}` };
  }
}
