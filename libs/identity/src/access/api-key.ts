import { randomBytes } from 'node:crypto';
import { sha256Of } from './secret-token.js';

export interface ApiKeyText {
  readonly keyId: string;
  /** All of it; this is what the caller sends and what only the caller has. */
  readonly text: string;
}

const form = /^tl_([0-9a-f]{16})_[A-Za-z0-9_-]{43}$/;

/** 256 random bits behind an id for the look-up. */
export function newApiKey(random: (size: number) => Buffer = randomBytes): ApiKeyText {
  const keyId = random(8).toString('hex');
  return { keyId, text: `tl_${keyId}_${random(32).toString('base64url')}` };
}

/** Null when it cannot be one of ours. */
export function parseApiKey(text: string): ApiKeyText | null {
  const keyId = form.exec(text)?.[1];
  return keyId === undefined ? null : { keyId, text };
}

/** A fast hash is enough for 256 random bits: there is nothing to guess from. */
export function fingerprintOf({ text }: ApiKeyText): Buffer {
  return sha256Of(text);
}
