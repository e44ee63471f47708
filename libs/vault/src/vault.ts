import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { MasterKeyUnknown, MasterKeysInvalid, SealBroken } from './errors.js';

export interface MasterKey {
  readonly id: string;
  readonly key: Buffer;
}

export interface Vault {
  /** `aad` names the place (table, organisation, row, field): the ciphertext opens nowhere else. */
  seal(plaintext: Buffer | string, aad: readonly string[]): Buffer;
  open(sealed: Buffer, aad: readonly string[]): Buffer;
  /** Sealed anew with the current key, or null when it already is: for rotating row by row. */
  reseal(sealed: Buffer, aad: readonly string[]): Buffer | null;
  keyIdOf(sealed: Buffer): string;
}

/** Layout: version (1 byte) · length of key id (1) · key id · nonce (12) · tag (16) · ciphertext. */
const version = 1;
const nonceLength = 12;
const tagLength = 16;

/** AES-256-GCM with a random 96-bit nonce: fine for 2^32 seals per key (NIST SP 800-38D §8.3). Sealed by the current key, opened by any listed one. */
export function createVault({ keys, current }: { readonly keys: readonly MasterKey[]; readonly current: string }): Vault {
  const byId = new Map(keys.map((key) => [checkKey(key).id, key.key]));
  if (byId.size !== keys.length) throw MasterKeysInvalid.because('two keys have the same id');
  const currentKey = byId.get(current);
  if (currentKey === undefined) throw MasterKeysInvalid.because(`the current key ${JSON.stringify(current)} is not among them`);

  const seal: Vault['seal'] = (plaintext, aad) => {
    const header = headerOf(current);
    const nonce = randomBytes(nonceLength);
    const cipher = createCipheriv('aes-256-gcm', currentKey, nonce, { authTagLength: tagLength }).setAAD(bind(header, aad));
    const body = Buffer.concat([cipher.update(typeof plaintext === 'string' ? Buffer.from(plaintext) : plaintext), cipher.final()]);
    return Buffer.concat([header, nonce, cipher.getAuthTag(), body]);
  };

  const open: Vault['open'] = (sealed, aad) => {
    const { id, header, nonce, tag, body } = split(sealed);
    const key = byId.get(id);
    if (key === undefined) throw MasterKeyUnknown.because(`opening ${aad.slice(0, -1).join(' ')} needs key ${JSON.stringify(id)}`);
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagLength }).setAAD(bind(header, aad)).setAuthTag(tag);
    try {
      return Buffer.concat([decipher.update(body), decipher.final()]);
    } catch (error) {
      throw SealBroken.from(error, `opening ${aad.join(' ')}`);
    }
  };

  const keyIdOf: Vault['keyIdOf'] = (sealed) => split(sealed).id;
  return { seal, open, keyIdOf, reseal: (sealed, aad) => (keyIdOf(sealed) === current ? null : seal(open(sealed, aad), aad)) };
}

function checkKey(key: MasterKey): MasterKey {
  if (!/^[\w-]{1,64}$/.test(key.id)) throw MasterKeysInvalid.because('a key id has other characters than letters, digits, - and _, or is longer than 64');
  if (key.key.length !== 32) throw MasterKeysInvalid.because(`key ${key.id} has ${key.key.length} bytes instead of 32`);
  return key;
}

function headerOf(keyId: string): Buffer {
  const id = Buffer.from(keyId);
  return Buffer.concat([Buffer.from([version, id.length]), id]);
}

/** Header and length-prefixed parts: neither the key id nor the borders between parts can be shifted. */
function bind(header: Buffer, aad: readonly string[]): Buffer {
  const parts = aad.flatMap((part) => {
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
