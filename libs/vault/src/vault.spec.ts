import { randomBytes, randomUUID } from 'node:crypto';
import { createVault } from './vault.js';

const key = (id: string) => ({ id, key: randomBytes(32) });
const first = key('2026-a');
const second = key('2026-b');
const organisation = randomUUID();
const row = randomUUID();
const place = ['integrations', organisation, row, 'credentials'];

describe('the vault', () => {
  const vault = createVault({ keys: [first], current: first.id });

  it.each([['text', 'client secret ü'], ['nothing', ''], ['bytes', Buffer.from([0, 1, 255])]])('gives back %s', (_, plaintext) => {
    expect(vault.open(vault.seal(plaintext, place), place)).toEqual(Buffer.from(plaintext));
  });

  it('seals the same value differently each time and shows nothing of it', () => {
    const one = vault.seal('client secret', place);
    expect(one.equals(vault.seal('client secret', place))).toBe(false);
    expect(one.includes('secret')).toBe(false);
  });

  it.each([
    ['another organisation', ['integrations', randomUUID(), row, 'credentials']],
    ['another row', ['integrations', organisation, randomUUID(), 'credentials']],
    ['another field', ['integrations', organisation, row, 'settings']],
    ['the same text with other borders', [`integrations${organisation}`, row, 'credentials']],
    ['no place', []],
  ])('does not open it in %s', (_, elsewhere) => {
    const sealed = vault.seal('x', place);
    expect(() => vault.open(sealed, elsewhere)).toThrow(expect.objectContaining({ code: 'vault.seal_broken' }));
  });

  it('notices each changed byte', () => {
    const sealed = vault.seal('client secret', place);
    for (let at = 0; at < sealed.length; at += 1) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(() => vault.open(changed, place)).toThrow(expect.objectContaining({ code: expect.stringMatching(/^vault\.(?:seal_broken|key_unknown)$/) }));
    }
  });

  it('notices a secret that was cut off', () => {
    const sealed = vault.seal('client secret', place);
    for (let length = 0; length < sealed.length; length += 1) expect(() => vault.open(sealed.subarray(0, length), place)).toThrow(expect.objectContaining({ code: 'vault.seal_broken' }));
  });

  it('rotates: the new key seals, the old one still opens, row by row until it can go', () => {
    const old = vault.seal('x', place);
    const both = createVault({ keys: [second, first], current: second.id });
    expect(both.open(old, place).toString()).toBe('x');
    const resealed = both.reseal(old, place);
    expect(resealed && both.keyIdOf(resealed)).toBe(second.id);
    expect(resealed && both.reseal(resealed, place)).toBeNull();
    const afterwards = createVault({ keys: [second], current: second.id });
    expect(resealed && afterwards.open(resealed, place).toString()).toBe('x');
    expect(() => afterwards.open(old, place)).toThrow(expect.objectContaining({ code: 'vault.key_unknown', detail: expect.stringContaining(first.id) }));
  });

  it.each([
    ['a short key', { keys: [{ id: 'a', key: randomBytes(16) }], current: 'a' }],
    ['an odd id', { keys: [key('a:b')], current: 'a:b' }],
    ['two keys of one id', { keys: [key('a'), key('a')], current: 'a' }],
    ['a current key that is not there', { keys: [key('a')], current: 'b' }],
  ])('refuses %s', (_, keys) => {
    expect(() => createVault(keys)).toThrow(expect.objectContaining({ code: 'vault.keys_invalid' }));
  });
});
