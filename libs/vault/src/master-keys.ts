import { readFileSync } from 'node:fs';
import { MasterKeysInvalid, MasterKeysMissing } from './errors.js';
import type { NamedKey } from './sealed.js';

export interface MasterKeys {
  readonly keys: readonly NamedKey[];
  readonly current: string;
}

/** From TRUNKLINE_MASTER_KEYS (`id:base64,id:base64`), else the file named by TRUNKLINE_MASTER_KEYS_FILE (one per line). The first is the current one; without any, nothing starts. */
export function loadMasterKeys(environment: Readonly<Record<string, string | undefined>> = process.env): MasterKeys {
  const text = environment['TRUNKLINE_MASTER_KEYS'] ?? fromFile(environment['TRUNKLINE_MASTER_KEYS_FILE']);
  return parseMasterKeys(text);
}

export function parseMasterKeys(text: string): MasterKeys {
  const keys = text.split(/[,\n]/).map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#')).map(parseKey);
  const [first] = keys;
  if (first === undefined) throw MasterKeysMissing.because('none is set');
  return { keys, current: first.id };
}

/** Never quotes what it was given: it may be a key. */
function parseKey(entry: string, index: number): NamedKey {
  const colon = entry.indexOf(':');
  const id = entry.slice(0, colon);
  const encoded = entry.slice(colon + 1);
  if (colon < 1 || !/^[A-Za-z0-9+/_-]{43}=?$/.test(encoded)) throw MasterKeysInvalid.because(`key number ${index + 1} is not \`id:\` and 32 bytes in base64`);
  return { id, key: Buffer.from(encoded, 'base64') };
}

function fromFile(path: string | undefined): string {
  if (path === undefined) throw MasterKeysMissing.because('neither TRUNKLINE_MASTER_KEYS nor TRUNKLINE_MASTER_KEYS_FILE is set');
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw MasterKeysMissing.from(error, `reading ${path}`);
  }
}
