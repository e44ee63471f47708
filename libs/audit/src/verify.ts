import { beginning, hashOf, type StoredEntry } from './entry.js';

export type Verdict =
  | { readonly kind: 'whole'; readonly entries: number; /** Keep it elsewhere: with it, a trail that was cut off or written anew shows too. */ readonly head: string }
  | { readonly kind: 'broken'; readonly seq: number; readonly says: string };

/** The hash that an entry had at an earlier check, kept where the database's owner cannot write. */
export interface Head {
  readonly seq: number;
  readonly hash: string;
}

/** Null when it has not the form `<entries>:<hash>`. */
export function parseHead(text: string): Head | null {
  const [, seq, hash] = /^(0|[1-9]\d{0,14}):([0-9a-f]{64})$/i.exec(text.trim()) ?? [];
  return seq === undefined || hash === undefined ? null : { seq: Number(seq), hash: hash.toLowerCase() };
}

/** Checks entry after entry as they come in; memory does not grow with the trail. */
export class Verification {
  private seq = 0;
  private hash = beginning;

  constructor(
    private readonly organisationId: string,
    /** Without it, a trail of which all hashes were computed anew is as good as any. */
    private readonly kept: Head | null = null,
  ) {}

  /** Null while everything fits. */
  next(entry: StoredEntry): Extract<Verdict, { kind: 'broken' }> | null {
    const seq = this.seq + 1;
    if (entry.seq !== seq) return { kind: 'broken', seq, says: `entry ${seq} is missing; the next one has number ${entry.seq}` };
    if (hashOf(this.hash, this.organisationId, entry.seq, entry.content) !== entry.hash) return { kind: 'broken', seq, says: `entry ${seq}, or the one before it, is not what was written` };
    if (seq === this.kept?.seq && entry.hash !== this.kept.hash) return { kind: 'broken', seq, says: `the entries up to ${seq} fit each other, but are not those whose head was kept: they were written anew` };
    this.seq = seq;
    this.hash = entry.hash;
    return null;
  }

  end(): Verdict {
    if (this.kept !== null && this.kept.seq > this.seq) return { kind: 'broken', seq: this.seq + 1, says: `the trail ends with entry ${this.seq}, but a head of entry ${this.kept.seq} was kept: the end was cut off` };
    return { kind: 'whole', entries: this.seq, head: `${this.seq}:${this.hash}` };
  }
}
