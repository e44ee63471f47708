import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadMasterKeys } from './master-keys.js';

const encoded = randomBytes(32).toString('base64');
const other = randomBytes(32).toString('base64url');

it('takes the first key of the environment as the current one', () => {
  const { keys, current } = loadMasterKeys({ TRUNKLINE_MASTER_KEYS: `new:${encoded}, old:${other}` });
  expect({ current, ids: keys.map(({ id }) => id), lengths: keys.map(({ key }) => key.length) }).toEqual({ current: 'new', ids: ['new', 'old'], lengths: [32, 32] });
});

it('reads them from a file, one per line', () => {
  const folder = mkdtempSync(join(tmpdir(), 'keys-'));
  writeFileSync(join(folder, 'keys'), `# rotated in spring\nnew:${encoded}\nold:${other}\n`);
  expect(loadMasterKeys({ TRUNKLINE_MASTER_KEYS_FILE: join(folder, 'keys') }).current).toBe('new');
  rmSync(folder, { recursive: true });
});

it.each([[{}], [{ TRUNKLINE_MASTER_KEYS: '' }], [{ TRUNKLINE_MASTER_KEYS_FILE: '/no/such/file' }]])('does not start without a key: %j', (environment) => {
  expect(() => loadMasterKeys(environment)).toThrow(expect.objectContaining({ code: 'vault.keys_missing' }));
});

it.each([[encoded], [`a:${encoded.slice(4)}`], ['a:hunter2'], [`:${encoded}`]])('refuses %j without repeating it', (text) => {
  let message = '';
  try {
    loadMasterKeys({ TRUNKLINE_MASTER_KEYS: text });
  } catch (error) {
    message = String(error);
  }
  expect(message).toMatch(/key number 1 is not/);
  expect(message).not.toContain(text);
});
