import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** 256 random bits as text; shown once, kept as its hash. */
export function newSecretToken(prefix: string, random: (size: number) => Buffer = randomBytes): string {
  return `${prefix}${random(32).toString('base64url')}`;
}

/** A fast hash is enough for 256 random bits: there is nothing to guess from. */
export function sha256Of(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

export function isSame(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}
