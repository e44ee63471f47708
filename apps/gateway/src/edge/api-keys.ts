import { createHash } from 'node:crypto';
import { KeyRefused, KeysUnavailable } from './errors.js';
import { Kept } from './kept.js';
import type { KeyHolder } from './key-holder.js';

/** Delivery §2: kept 30 s, served up to 15 min while the database is away. */
const limits = { freshMs: 30_000, staleMs: 15 * 60_000, waitMs: 1_000, entries: 10_000 };

/** Answers null for a key that is unknown, revoked or expired; throws when it cannot tell. */
export type VerifyKey = (presented: string) => Promise<KeyHolder | null>;

/** Remembers whom each key stands for by the key's hash, so that no key is kept in memory; a refused key is asked about each time. */
export class ApiKeys {
  private readonly kept: Kept<KeyHolder>;

  constructor(
    private readonly verify: VerifyKey,
    nowMs: () => number = () => performance.now(),
  ) {
    this.kept = new Kept(limits, nowMs);
  }

  /** Throws `request.key_refused`, or `gateway.keys_unavailable` where nobody can tell (never 401 then). */
  async holderOf(key: string): Promise<KeyHolder> {
    const hash = createHash('sha256').update(key).digest('base64');
    const holder = this.kept.peek(hash) ?? (await this.ask(hash, key));
    if (holder === null) throw KeyRefused.because('the key is unknown, revoked or expired');
    return holder;
  }

  private async ask(hash: string, key: string): Promise<KeyHolder | null> {
    try {
      return await this.kept.get(hash, () => this.verify(key));
    } catch (error) {
      throw KeysUnavailable.from(error, 'the key could not be looked up');
    }
  }
}
