import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What a real provider would not forget when one of its machines restarts, beside the records themselves. */
interface Remembered {
  readonly tokenKey: string;
  /** Tokens of an earlier epoch are expired. */
  readonly tokenEpoch: number;
  readonly isRevoked: boolean;
  readonly clockAheadMs: number;
  /** What people granted, by id. */
  readonly grants: Readonly<Record<string, GrantState>>;
}

export interface GrantState {
  /** Counts the refresh tokens; only the newest is good. */
  readonly generation: number;
  readonly isRevoked: boolean;
  readonly usedAtMs: number;
}

export class LastingState {
  private readonly file: string;
  private remembered: Remembered;

  constructor(dataDir: string) {
    this.file = join(dataDir, 'state.json');
    this.remembered = existsSync(this.file)
      ? { grants: {}, ...(JSON.parse(readFileSync(this.file, 'utf8')) as Omit<Remembered, 'grants'>) }
      : { tokenKey: randomBytes(32).toString('hex'), tokenEpoch: 1, isRevoked: false, clockAheadMs: 0, grants: {} };
    this.save();
  }

  get now(): Remembered {
    return this.remembered;
  }

  change(changes: Partial<Remembered>): void {
    this.remembered = { ...this.remembered, ...changes };
    this.save();
  }

  private save(): void {
    writeFileSync(`${this.file}.new`, JSON.stringify(this.remembered), { mode: 0o600 });
    renameSync(`${this.file}.new`, this.file);
  }
}
