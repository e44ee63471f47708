import { randomBytes, randomUUID } from 'node:crypto';
import { openVault, placeOfCredentials, storedDataKeys } from './credential-vault.js';
import { openTestDatabase, type TestDatabase } from './testing/index.js';
import { inTenant } from './transaction.js';

const masterKeys = { keys: [{ id: 'spec', key: randomBytes(32) }], current: 'spec' };

describe('the vault over the database', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openTestDatabase();
  }, 60_000);
  afterAll(() => database.close());

  async function organisation(): Promise<string> {
    const id = randomUUID();
    await inTenant(database.databases, id, (client) => client.query('insert into organisations (id, name) values ($1, $2)', [id, 'Harbour City Council']));
    return id;
  }

  it('opens in one process what another sealed, with the first key made by whoever comes first', async () => {
    const place = placeOfCredentials(await organisation(), randomUUID());
    const vaults = Array.from({ length: 8 }, () => openVault(database.databases, masterKeys));
    const sealed = await Promise.all(vaults.map((vault, index) => vault.seal(`secret ${index}`, place)));
    const opened = await Promise.all(sealed.map((bytes, index) => vaults[(index + 3) % 8]?.open(bytes, place)));
    expect(opened.map(String)).toEqual(vaults.map((_, index) => `secret ${index}`));
    const { rows } = await inTenant(database.databases, place.organisationId, (client) => client.query('select is_current from data_keys'));
    expect(rows).toEqual([{ is_current: true }]);
  });

  it('lets one of several new keys be the current one', async () => {
    const id = await organisation();
    const place = placeOfCredentials(id, randomUUID());
    const vault = openVault(database.databases, masterKeys);
    const old = await vault.seal('x', place);
    const made = await Promise.all([vault.newDataKey(id), vault.newDataKey(id), vault.newDataKey(id)]);
    const current = await storedDataKeys(database.databases).current(id);
    expect(made).toContain(current?.id);
    expect((await vault.open(old, place)).toString()).toBe('x');
    expect((await vault.open((await vault.reseal(old, place)) ?? Buffer.alloc(0), place)).toString()).toBe('x');
  });

  it('does not hand one organisation the key of another', async () => {
    const [own, other] = [await organisation(), await organisation()];
    const vault = openVault(database.databases, masterKeys);
    const place = placeOfCredentials(own, randomUUID());
    const sealed = await vault.seal('x', place);
    await expect(vault.open(sealed, { ...place, organisationId: other })).rejects.toMatchObject({ code: 'vault.data_key_unknown' });
  });

  it('opens nothing any more once the key was destroyed', async () => {
    const id = await organisation();
    const vault = openVault(database.databases, masterKeys);
    const place = placeOfCredentials(id, randomUUID());
    const sealed = await vault.seal('x', place);
    await inTenant(database.databases, id, (client) => client.query('update data_keys set wrapped = null, destroyed_at = now()'));
    await expect(vault.open(sealed, place)).rejects.toMatchObject({ code: 'vault.data_key_destroyed' });
    await expect(vault.seal('y', place)).rejects.toMatchObject({ code: 'vault.data_key_destroyed' });
    await expect(vault.newDataKey(id)).rejects.toMatchObject({ code: 'vault.data_key_destroyed' });
  });
});
