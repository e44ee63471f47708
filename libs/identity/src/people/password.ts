import { argon2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { PasswordUnfit, SignInBusy } from '../errors.js';

/** OWASP Password Storage Cheat Sheet (read 2026-11-21): argon2id with at least 19 MiB, two passes, one lane. RFC 9106 §4 asks for more memory where there is more; a hash carries its own figures, so they can be raised here at any time. */
const cost = { memory: 19_456, passes: 2, parallelism: 1, tagLength: 32 } as const;
const saltBytes = 16;
const form = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;

/** 19 MiB each: what is hashed at once is bounded, and so is what waits for it. */
const limits = { atOnce: 2, waiting: 40 } as const;

const derive = promisify(argon2);

interface Parts {
  readonly memory: number;
  readonly passes: number;
  readonly parallelism: number;
  readonly salt: Buffer;
  readonly tag: Buffer;
}

export class Passwords {
  private running = 0;
  private readonly waiting: (() => void)[] = [];
  private readonly nobody: Promise<string>;

  constructor(private readonly bounds: { readonly atOnce: number; readonly waiting: number } = limits) {
    this.nobody = this.hash(randomBytes(16).toString('hex'));
    // Met again by whoever waits for it.
    this.nobody.catch(() => undefined);
  }

  /** In PHC string form, with its own figures and salt. */
  async hash(password: string): Promise<string> {
    const salt = randomBytes(saltBytes);
    const tag = await this.derive(password, { ...cost, salt, tagLength: cost.tagLength });
    return `$argon2id$v=19$m=${cost.memory},t=${cost.passes},p=${cost.parallelism}$${unpadded(salt)}$${unpadded(tag)}`;
  }

  /** Takes as long without a stored hash as with one: the answer to an unknown account is not faster. */
  async matches(password: string, stored: string | null): Promise<boolean> {
    const parts = partsOf(stored ?? (await this.nobody));
    const tag = await this.derive(password, { ...parts, tagLength: parts.tag.length });
    return timingSafeEqual(tag, parts.tag) && stored !== null;
  }

  private async derive(password: string, { memory, passes, parallelism, salt, tagLength }: Omit<Parts, 'tag'> & { readonly tagLength: number }): Promise<Buffer> {
    await this.turn();
    try {
      return await derive('argon2id', { message: password.normalize('NFKC'), nonce: salt, memory, passes, parallelism, tagLength });
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) this.running -= 1;
      else next();
    }
  }

  /** Whoever ends hands the place to the next. */
  private async turn(): Promise<void> {
    if (this.running < this.bounds.atOnce) {
      this.running += 1;
      return;
    }
    if (this.waiting.length >= this.bounds.waiting) throw SignInBusy.because(`${this.bounds.waiting} passwords are waiting to be checked`);
    await new Promise<void>((resolve) => this.waiting.push(resolve));
  }
}

/** Made with other figures than today's: to be made anew when its password is known, at the next sign-in. */
export function isOutdated(stored: string): boolean {
  const { memory, passes, parallelism } = partsOf(stored);
  return memory !== cost.memory || passes !== cost.passes || parallelism !== cost.parallelism;
}

/** NIST SP 800-63B-4 §3.1.1: length decides, no rules about kinds of characters, nothing that is guessed first. */
export function refuseUnfit(password: string, about: readonly string[]): void {
  const length = [...password].length;
  if (length < 12 || length > 200) throw PasswordUnfit.because(`it has ${length < 12 ? 'fewer than 12' : 'more than 200'} characters`);
  const folded = password.toLowerCase();
  if (new Set(folded).size < 5) throw PasswordUnfit.because('it repeats the same few characters');
  if (guessedFirst.some((guess) => folded.includes(guess) && folded.length - guess.length < 5)) throw PasswordUnfit.because('it is among those that are guessed first');
  if (about.some((fact) => fact.length > 3 && folded.includes(fact.toLowerCase()) && folded.length - fact.length < 5)) throw PasswordUnfit.because('it is little more than the name or the address');
}

const guessedFirst = ['password', 'passwort', 'qwertyuiop', '1234567890', '123456789', '12345678', 'iloveyou', 'letmein', 'welcome', 'administrator', 'trunkline', 'changeme', 'abcdefgh'];

function partsOf(stored: string): Parts {
  const [, memory, passes, parallelism, salt, tag] = form.exec(stored) ?? [];
  if (salt === undefined || tag === undefined) throw new Error('a stored password is not an argon2id hash');
  return { memory: Number(memory), passes: Number(passes), parallelism: Number(parallelism), salt: Buffer.from(salt, 'base64'), tag: Buffer.from(tag, 'base64') };
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}
