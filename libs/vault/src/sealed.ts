import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { SealBroken } from './errors.js';

/** Layout: version (1 byte) · length of key id (1) · key id · nonce (12) · tag (16) · ciphertext. */
const version = 2;
const nonceLength = 12;
const tagLength = 16;

export interface NamedKey {
  readonly id: string;
  /** 32 bytes. */
  readonly key: Buffer;
}

/** AES-256-GCM with a random 96-bit nonce: fine for 2^32 seals per key (NIST SP 800-38D §8.3). The key's id is part of what is authenticated. */
export function sealWith({ id, key }: NamedKey, plaintext: Buffer, associated: readonly string[]): Buffer {
  const header = Buffer.concat([Buffer.from([version, Buffer.byteLength(id)]), Buffer.from(id)]);
  const nonce = randomBytes(nonceLength);
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: tagLength }).setAAD(bind(header, associated));
  const body = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return Buffer.concat([header, nonce, cipher.getAuthTag(), body]);
}

/** @throws SealBroken where it was changed, cut off, or sealed for another place. */
export function openWith({ key }: NamedKey, sealed: Buffer, associated: readonly string[]): Buffer {
  const { header, nonce, tag, body } = split(sealed);
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagLength }).setAAD(bind(header, associated)).setAuthTag(tag);
  try {
    return Buffer.concat([decipher.update(body), decipher.final()]);
  } catch (error) {
    throw SealBroken.from(error, `opening ${associated.join(' ')}`);
  }
}

export function keyIdOf(sealed: Buffer): string {
  return split(sealed).id;
}

/** Header and length-prefixed parts: neither the key id nor the borders between parts can be shifted. */
function bind(header: Buffer, associated: readonly string[]): Buffer {
  const parts = associated.flatMap((part) => {
    const bytes = Buffer.from(part);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return [length, bytes];
  });
  return Buffer.concat([header, ...parts]);
}

function split(sealed: Buffer): { readonly id: string; readonly header: Buffer; readonly nonce: Buffer; readonly tag: Buffer; readonly body: Buffer } {
  const headerLength = 2 + (sealed[1] ?? 0);
  if (sealed[0] !== version || sealed.length < headerLength + nonceLength + tagLength) throw SealBroken.because('it has not the form of a sealed secret');
  const nonceEnd = headerLength + nonceLength;
  return {
    id: sealed.toString('utf8', 2, headerLength),
    header: sealed.subarray(0, headerLength),
    nonce: sealed.subarray(headerLength, nonceEnd),
    tag: sealed.subarray(nonceEnd, nonceEnd + tagLength),
    body: sealed.subarray(nonceEnd + tagLength),
  };
}
