import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { createAuditTrail } from '@trunkline/audit';
import { createIdentity, createPeople } from '@trunkline/identity';
import { inOrganisations, placeOfCredentials } from '@trunkline/storage';
import { openTestDatabase, type TestDatabase } from '@trunkline/storage/testing';
import { newMasterKeys, vaultOf } from '../support/council.js';
import { runCommand } from '../support/command.js';

jest.setTimeout(90_000);

describe('what an operator does to an organisation', () => {
  const masterKeys = newMasterKeys();
  let database: TestDatabase;
  let organisationId: string;

  beforeAll(async () => {
    database = await openTestDatabase();
    const { databases } = database;
    ({ id: organisationId } = await createIdentity({ databases }).createOrganisation({ name: 'Harbour City Council' }));
    await vaultOf(databases, masterKeys).seal('x', placeOfCredentials(organisationId, organisationId));
    const account = await createPeople({ databases }).accounts.create({ email: 'owner@example.org', name: 'Owner', password: null });
    await inOrganisations(databases, [organisationId], (client) => client.query(`insert into memberships (organisation_id, user_id, role, email, name) values ($1, $2, 'owner', 'owner@example.org', 'Owner')`, [organisationId, account?.id]));
    await createPeople({ databases }).accounts.belongsTo(account?.id ?? '', organisationId);
  });
  afterAll(() => database?.close());

  it('stands in its trail, where the organisation sees it, and with no secret', async () => {
    const environment = { DATABASE_URL: database.url, TRUNKLINE_MASTER_KEYS: masterKeys };
    expect(await runCommand(['plans', 'give', organisationId, 'starter', '--set', 'retentionDays=7'], environment)).toMatchObject({ status: 0 });
    expect(await runCommand(['plans', 'give', organisationId, 'scale'], environment)).toMatchObject({ status: 0 });
    const replaced = await runCommand(['users', 'new-password', 'owner@example.org'], environment);
    expect(replaced).toMatchObject({ status: 0 });
    expect(await runCommand(['secrets', 'reseal', '--organisation', organisationId], environment)).toMatchObject({ status: 0 });
    const entries = (await createAuditTrail(database.databases).list(organisationId, { afterSeq: 0, limit: 10 })).map(({ content }) => JSON.parse(content) as unknown);
    expect(entries).toMatchObject([
      { actor: 'operator', address: null, action: 'plans:give', subject: 'trunkline plans give', outcome: 'done', before: null, after: { plan: 'starter', overrides: { retentionDays: 7 } } },
      { actor: 'operator', action: 'plans:give', before: { plan: 'starter', overrides: { retentionDays: 7 } }, after: { plan: 'scale', overrides: {} } },
      { actor: 'operator', action: 'account:password', subject: expect.stringMatching(/^trunkline users new-password user:[0-9a-f-]{36}$/) },
      { actor: 'operator', action: 'secrets:reseal', after: { resealed: 0 } },
    ]);
    const [password = ''] = replaced.told.split('\n');
    expect(password.length).toBeGreaterThan(10);
    expect(JSON.stringify(entries)).not.toContain(password);
  });

  it('begins with the making of the organisation and its first key', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [join(resolve(__dirname, '..', '..'), 'deploy', 'create-organisation.mjs'), 'New council'], { env: { ...process.env, DATABASE_URL: database.url } });
    const made = JSON.parse(stdout) as { readonly organisation_id: string; readonly api_key: string };
    const [entry, ...more] = await createAuditTrail(database.databases).list(made.organisation_id, { afterSeq: 0, limit: 10 });
    expect(JSON.parse(entry?.content ?? '')).toMatchObject({ actor: 'operator', action: 'organisations:create', outcome: 'done', after: { name: 'New council', key: { id: made.api_key.split('_')[1] } } });
    expect(more).toEqual([]);
    expect(entry?.content).not.toContain(made.api_key);
  });
});
