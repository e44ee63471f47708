import { randomUUID } from 'node:crypto';
import { inOrganisations } from './index.js';
import type { TestDatabase } from './testing/index.js';
import { openTestDatabase } from './testing/index.js';

describe('a transaction whose first statement goes with its beginning', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openTestDatabase();
  }, 60_000);
  afterAll(() => database?.close());

  const seen = 'select current_setting(\'app.org_ids\') as organisations, current_setting(\'enable_seqscan\') as scans, transaction_timestamp() = statement_timestamp() as is_alone';

  it('sees the organisations and the settings it was opened with, and leaves nothing of them behind', async () => {
    const organisationId = randomUUID();
    const { rows } = await inOrganisations(database.databases, [organisationId], (client) => client.query(seen), { statements: 'set local enable_seqscan = off' });
    expect(rows).toEqual([{ organisations: organisationId, scans: 'off', is_alone: false }]);
    const after = await database.databases.system.query<{ organisations: string; scans: string }>('select coalesce(current_setting(\'app.org_ids\', true), \'\') as organisations, current_setting(\'enable_seqscan\') as scans');
    expect(after.rows).toEqual([{ organisations: '', scans: 'on' }]);
  });

  it('goes no further than its first statement when it did not begin', async () => {
    let hasGoneOn = false;
    const work = inOrganisations(database.databases, [randomUUID()], async (client) => {
      // Of a table without policies: alone it would be answered.
      await client.query('select count(*) from due_work');
      hasGoneOn = true;
    }, { statements: 'commit; select 1 / 0' });
    await expect(work).rejects.toBeInstanceOf(Error);
    expect(hasGoneOn).toBe(false);
    await expect(inOrganisations(database.databases, [randomUUID()], (client) => client.query('select 1 as one'))).resolves.toMatchObject({ rows: [{ one: 1 }] });
  });
});
