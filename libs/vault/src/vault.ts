import { randomBytes, randomUUID } from 'node:crypto';
import type { DataKeys, StoredDataKey } from './data-keys.js';
import { DataKeyDestroyed, DataKeyUnknown } from './errors.js';
import type { KeyWrapper } from './key-wrapper.js';
import { keyIdOf, openWith, sealWith, type NamedKey } from './sealed.js';

/** Where a secret stands. It opens there and nowhere else. */
export interface Place {
  readonly table: string;
  readonly organisationId: string;
  readonly row: string;
  readonly field: string;
}

/** Envelope encryption: each organisation's secrets are sealed with its own data key, which is stored wrapped by a master key. */
export interface Vault {
  seal(plaintext: Buffer | string, place: Place): Promise<Buffer>;
  /** @throws DataKeyDestroyed once the organisation has left, MasterKeyUnknown, SealBroken. */
  open(sealed: Buffer, place: Place): Promise<Buffer>;
  /** Sealed anew with the organisation's current data key, or null when it already is: for rotating row by row. */
  reseal(sealed: Buffer, place: Place): Promise<Buffer | null>;
  /** From now on the organisation's secrets are sealed with a new data key; those of the old one still open. */
  newDataKey(organisationId: string): Promise<string>;
}

export function createVault({ wrapper, dataKeys }: { readonly wrapper: KeyWrapper; readonly dataKeys: DataKeys }): Vault {
  const unwrapped = async (organisationId: string, { id, wrapped }: StoredDataKey): Promise<NamedKey> => {
    if (wrapped === null) throw DataKeyDestroyed.because(`the organisation ${organisationId} has left`);
    return { id, key: await wrapper.unwrap(wrapped, placeOfDataKey(organisationId, id)) };
  };
  const made = async (organisationId: string, replaces: string | null): Promise<StoredDataKey> => {
    const id = randomUUID();
    const wrapped = await wrapper.wrap(randomBytes(32), placeOfDataKey(organisationId, id));
    return dataKeys.add(organisationId, { id, wrapped }, replaces);
  };
  const current = async (organisationId: string): Promise<StoredDataKey> => (await dataKeys.current(organisationId)) ?? made(organisationId, null);

  const seal: Vault['seal'] = async (plaintext, place) => {
    const key = await unwrapped(place.organisationId, await current(place.organisationId));
    return sealWith(key, Buffer.from(plaintext), associated(place));
  };
  const open: Vault['open'] = async (sealed, place) => {
    const id = keyIdOf(sealed);
    const stored = await dataKeys.find(place.organisationId, id);
    if (stored === null) throw DataKeyUnknown.because(`${place.table} ${place.row} needs data key ${JSON.stringify(id)}`);
    return openWith(await unwrapped(place.organisationId, stored), sealed, associated(place));
  };
  return {
    seal,
    open,
    async reseal(sealed, place) {
      if ((await current(place.organisationId)).id === keyIdOf(sealed)) return null;
      return seal(await open(sealed, place), place);
    },
    async newDataKey(organisationId) {
      const before = await dataKeys.current(organisationId);
      if (before?.wrapped === null) throw DataKeyDestroyed.because(`the organisation ${organisationId} has left`);
      return (await made(organisationId, before?.id ?? null)).id;
    },
  };
}

function associated({ table, organisationId, row, field }: Place): readonly string[] {
  return [table, organisationId, row, field];
}

/** A wrapped data key copied to another organisation's row does not unwrap there. */
export function placeOfDataKey(organisationId: string, id: string): readonly string[] {
  return ['data_keys', organisationId, id, 'wrapped'];
}
