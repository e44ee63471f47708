import { randomBytes, randomUUID } from 'node:crypto';
import type { DataKeys, StoredDataKey } from './data-keys.js';
import { localKeyWrapper } from './key-wrapper.js';
import { createVault, placeOfDataKey, type Place } from './vault.js';

const key = (id: string) => ({ id, key: randomBytes(32) });
const first = key('2026-a');
const second = key('2026-b');
const organisation = randomUUID();
const place: Place = { table: 'integrations', organisationId: organisation, row: randomUUID(), field: 'credentials' };

/** The table as the vault sees it; the real one is tested where it is (storage). */
class Shelf implements DataKeys {
  readonly keys = new Map<string, StoredDataKey>();
  private readonly currentOf = new Map<string, string>();
  async current(organisationId: string): Promise<StoredDataKey | null> {
    return this.keys.get(`${organisationId}/${this.currentOf.get(organisationId) ?? ''}`) ?? null;
  }
  async find(organisationId: string, id: string): Promise<StoredDataKey | null> {
    return this.keys.get(`${organisationId}/${id}`) ?? null;
  }
  async add(organisationId: string, added: StoredDataKey): Promise<StoredDataKey> {
    this.keys.set(`${organisationId}/${added.id}`, added);
    this.currentOf.set(organisationId, added.id);
    return added;
  }
}

describe('the vault', () => {
  const shelf = new Shelf();
  const vault = createVault({ wrapper: localKeyWrapper({ keys: [first], current: first.id }), dataKeys: shelf });

  it.each([['text', 'client secret ü'], ['nothing', ''], ['bytes', Buffer.from([0, 1, 255])]])('gives back %s', async (_, plaintext) => {
    expect(await vault.open(await vault.seal(plaintext, place), place)).toEqual(Buffer.from(plaintext));
  });

  it('seals the same value differently each time and shows nothing of it', async () => {
    const one = await vault.seal('client secret', place);
    expect(one.equals(await vault.seal('client secret', place))).toBe(false);
    expect(one.includes('secret')).toBe(false);
  });

  it.each<[string, Partial<Place>]>([
    ['another table', { table: 'tokens' }],
    ['another row', { row: randomUUID() }],
    ['another field', { field: 'settings' }],
    ['the same text with other borders', { table: `integrations${organisation}`, row: '' }],
  ])('does not open it in %s', async (_, elsewhere) => {
    await expect(vault.open(await vault.seal('x', place), { ...place, ...elsewhere })).rejects.toMatchObject({ code: 'vault.seal_broken' });
  });

  it('does not open it for another organisation, not even with the data key copied along', async () => {
    const sealed = await vault.seal('x', place);
    const thief = randomUUID();
    await expect(vault.open(sealed, { ...place, organisationId: thief })).rejects.toMatchObject({ code: 'vault.data_key_unknown' });
    const stolen = await shelf.current(organisation);
    await shelf.add(thief, stolen ?? { id: '', wrapped: null });
    await expect(vault.open(sealed, { ...place, organisationId: thief })).rejects.toMatchObject({ code: 'vault.seal_broken' });
  });

  it('notices each changed byte, and what was cut off', async () => {
    const sealed = await vault.seal('client secret', place);
    const broken = { code: expect.stringMatching(/^vault\.(?:seal_broken|data_key_unknown)$/) };
    for (let at = 0; at < sealed.length; at += 1) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ 1;
      await expect(vault.open(changed, place)).rejects.toMatchObject(broken);
      await expect(vault.open(sealed.subarray(0, at), place)).rejects.toMatchObject(broken);
    }
  });

  it('gives each organisation a data key of its own, and stores it wrapped', async () => {
    const other = { ...place, organisationId: randomUUID() };
    await vault.seal('x', other);
    const [ours, theirs] = [await shelf.current(organisation), await shelf.current(other.organisationId)];
    expect(ours?.id).not.toBe(theirs?.id);
    expect(ours?.wrapped?.includes(first.id)).toBe(true);
    expect(ours?.wrapped?.length).toBeGreaterThan(32 + 28);
  });

  it('goes on to a new data key: it seals, the old one still opens, row by row until it can go', async () => {
    const old = await vault.seal('x', place);
    const next = await vault.newDataKey(organisation);
    expect((await vault.open(old, place)).toString()).toBe('x');
    const resealed = (await vault.reseal(old, place)) ?? Buffer.alloc(0);
    expect(resealed.includes(next)).toBe(true);
    expect(await vault.reseal(resealed, place)).toBeNull();
  });

  it('goes on to a new master key: data keys are wrapped anew, what they sealed is not touched', async () => {
    const sealed = await vault.seal('x', place);
    const both = localKeyWrapper({ keys: [second, first], current: second.id });
    const stored = await shelf.current(organisation);
    const keyPlace = placeOfDataKey(organisation, stored?.id ?? '');
    const wrapped = await both.wrap(await both.unwrap(stored?.wrapped ?? Buffer.alloc(0), keyPlace), keyPlace);
    expect(both.masterKeyIdOf(wrapped)).toBe(second.id);
    await expect(createVault({ wrapper: localKeyWrapper({ keys: [second], current: second.id }), dataKeys: shelf }).open(sealed, place)).rejects.toMatchObject({ code: 'vault.key_unknown', detail: expect.stringContaining(first.id) });
    await shelf.add(organisation, { id: stored?.id ?? '', wrapped });
    expect((await createVault({ wrapper: localKeyWrapper({ keys: [second], current: second.id }), dataKeys: shelf }).open(sealed, place)).toString()).toBe('x');
  });

  it('opens and seals nothing once the data key was destroyed', async () => {
    const leaving = { ...place, organisationId: randomUUID() };
    const sealed = await vault.seal('x', leaving);
    const stored = await shelf.current(leaving.organisationId);
    await shelf.add(leaving.organisationId, { id: stored?.id ?? '', wrapped: null });
    await expect(vault.open(sealed, leaving)).rejects.toMatchObject({ code: 'vault.data_key_destroyed' });
    await expect(vault.seal('y', leaving)).rejects.toMatchObject({ code: 'vault.data_key_destroyed' });
  });

  it.each([
    ['a short key', { keys: [{ id: 'a', key: randomBytes(16) }], current: 'a' }],
    ['an odd id', { keys: [key('a:b')], current: 'a:b' }],
    ['two keys of one id', { keys: [key('a'), key('a')], current: 'a' }],
    ['a current key that is not there', { keys: [key('a')], current: 'b' }],
  ])('refuses %s', (_, keys) => {
    expect(() => localKeyWrapper(keys)).toThrow(expect.objectContaining({ code: 'vault.keys_invalid' }));
  });
});
