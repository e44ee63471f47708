import type { Client } from 'pg';
import { openTestDatabase, type TestDatabase } from '@trunkline/storage/testing';
import { createIdentity } from './identity.js';

/** Noting when a key was last used is a write, and once failed the look-up with it: every publisher was refused while the disk was full. */
describe('a database that has no room left to write', () => {
  let database: TestDatabase;
  let owner: Client;

  beforeAll(async () => {
    database = await openTestDatabase();
    owner = await database.owner();
  }, 60_000);

  afterAll(() => database.close());

  it('still tells whose a key is, and notes its use once there is room', async () => {
    const identity = createIdentity({ databases: database.databases, times: { freshMs: 0, waitMs: 20_000 } });
    const { id: organisationId } = await identity.createOrganisation({ name: 'Harbour City Council' });
    const { apiKey, keyId } = await identity.createApiKey({ organisationId, name: 'website', scopes: ['publish'] });
    await owner.query(`create function spec_disk_full() returns trigger language plpgsql as $$ begin raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$`);
    await owner.query('create trigger spec_disk_full before update on api_keys for each row execute function spec_disk_full()');
    await expect(identity.verifyApiKey(apiKey)).resolves.toMatchObject({ organisationId, keyId });
    await owner.query('drop function spec_disk_full() cascade');

    const noted = async (): Promise<boolean> => {
      await identity.verifyApiKey(apiKey);
      const { rows } = await owner.query<{ last_used_at: Date | null }>('select last_used_at from api_keys where key_id = $1', [keyId]);
      return rows[0]?.last_used_at instanceof Object;
    };
    const giveUpAt = performance.now() + 10_000;
    while (!(await noted())) if (performance.now() > giveUpAt) throw new Error('the use of the key was never noted');
  });
});
