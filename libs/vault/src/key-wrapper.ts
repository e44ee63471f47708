import { MasterKeyUnknown, MasterKeysInvalid } from './errors.js';
import type { MasterKeys } from './master-keys.js';
import { keyIdOf, openWith, sealWith, type NamedKey } from './sealed.js';

/** Wraps data keys with master keys. A port: a key service keeps its master keys to itself and does the same over the network. */
export interface KeyWrapper {
  /** The master key that wraps now. */
  readonly currentId: string;
  wrap(dataKey: Buffer, place: readonly string[]): Promise<Buffer>;
  unwrap(wrapped: Buffer, place: readonly string[]): Promise<Buffer>;
  /** Which master key is needed to unwrap it. */
  masterKeyIdOf(wrapped: Buffer): string;
}

/** Master keys held by this process. The current one wraps, each listed one unwraps. */
export function localKeyWrapper({ keys, current }: MasterKeys): KeyWrapper {
  const byId = new Map(keys.map((key) => [checkKey(key).id, key]));
  if (byId.size !== keys.length) throw MasterKeysInvalid.because('two keys have the same id');
  const currentKey = byId.get(current);
  if (currentKey === undefined) throw MasterKeysInvalid.because(`the current key ${JSON.stringify(current)} is not among them`);
  return {
    currentId: current,
    masterKeyIdOf: keyIdOf,
    async wrap(dataKey, place) {
      return sealWith(currentKey, dataKey, place);
    },
    async unwrap(wrapped, place) {
      const id = keyIdOf(wrapped);
      const key = byId.get(id);
      if (key === undefined) throw MasterKeyUnknown.because(`the data key of ${place.slice(1).join(' ')} needs master key ${JSON.stringify(id)}`);
      return openWith(key, wrapped, place);
    },
  };
}

function checkKey(key: NamedKey): NamedKey {
  if (!/^[\w-]{1,64}$/.test(key.id)) throw MasterKeysInvalid.because('a key id has other characters than letters, digits, - and _, or is longer than 64');
  if (key.key.length !== 32) throw MasterKeysInvalid.because(`key ${key.id} has ${key.key.length} bytes instead of 32`);
  return key;
}
