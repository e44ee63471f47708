import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { migrate } from './migrate.js';
import type { Migration } from './migration.js';
import { migrations } from './migrations/index.js';
import { openDatabases } from './databases.js';
import { isDatabaseAway } from './failure.js';
import { inTenant } from './transaction.js';
import { openTestServer } from './testing/test-server.js';
import type { TestServer } from './testing/test-server.js';

const extra = (name: string, ...statements: string[]): Migration => ({ name, timestamp: 1_999_000_000_000, statements });

describe('migrate', () => {
  let server: TestServer;
  let admin: Client;
  let name: string;
  let url: string;

  beforeAll(async () => {
    server = await openTestServer();
    admin = new Client({ connectionString: server.url });
    await admin.connect();
  }, 60_000);
  beforeEach(async () => {
    name = `migrate_${randomBytes(6).toString('hex')}`;
    await admin.query(`create database ${name}`);
    const address = new URL(server.url);
    address.pathname = `/${name}`;
    url = address.toString();
  });
  afterEach(() => admin.query(`drop database ${name} with (force)`));
  afterAll(async () => {
    await admin.end();
    await server.close();
  });

  const query = async (statement: string): Promise<unknown[]> => {
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query(statement)).rows;
    } finally {
      await client.end();
    }
  };

  it('applies everything once', async () => {
    expect((await migrate(url)).applied).toHaveLength(migrations.length);
    expect((await migrate(url)).applied).toEqual([]);
  });

  it('lets one of several processes migrate while the others wait', async () => {
    const applied = await Promise.all([migrate(url), migrate(url), migrate(url)]);
    expect(applied.map((each) => each.applied.length).sort()).toEqual([0, 0, migrations.length]);
  });

  it('leaves nothing of a migration that fails and says which one and why', async () => {
    const broken = extra('broken', 'create table half (id integer)', 'create table half (id integer)');
    await expect(migrate(url, { migrations: [...migrations, broken] })).rejects.toMatchObject({ code: 'storage.migration_failed', detail: expect.stringContaining('already exists') });
    expect(await query(`select to_regclass('half') as half, (select count(*)::int from schema_migrations) as recorded`)).toEqual([{ half: null, recorded: migrations.length }]);
  });

  it('starts a migration again whose process was killed in the middle', async () => {
    await migrate(url);
    const slow = extra('slow', 'create table half (id integer)', 'select pg_sleep(60)');
    const killed = migrate(url, { migrations: [...migrations, slow] }).then(() => 'finished', (error: { code?: string }) => error.code);
    await until(async () => (await admin.query(`select from pg_stat_activity where datname = $1 and query like '%pg_sleep(60)%' and state = 'active'`, [name])).rowCount === 1);
    await admin.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [name]);
    expect(await killed).toBe('storage.unavailable');
    expect((await migrate(url, { migrations: [...migrations, extra('slow', 'create table half (id integer)')] })).applied).toEqual(['slow-1999000000000']);
  });

  it('refuses a database of a newer version', async () => {
    await migrate(url, { migrations: [...migrations, extra('from-the-future', 'select 1')] });
    await expect(migrate(url)).rejects.toMatchObject({ code: 'storage.schema_unknown', detail: expect.stringContaining('from-the-future-1999000000000') });
  });

  it('migrates as a login that is no superuser', async () => {
    await admin.query(`create role ${name}_owner login createrole password 'x'`);
    await admin.query(`alter database ${name} owner to ${name}_owner`);
    for (const role of ['app_tenant', 'app_system', 'app_log', 'app_access', 'app_custody', 'app_keeper']) await admin.query(`grant ${role} to ${name}_owner`);
    try {
      const address = new URL(url);
      address.username = `${name}_owner`;
      address.password = 'x';
      await migrate(address.toString());
      const databases = openDatabases(address.toString());
      const rows = await inTenant(databases, '00000000-0000-4000-8000-000000000000', async (client) => (await client.query('select current_user')).rows);
      await databases.close();
      expect(rows).toEqual([{ current_user: 'app_tenant' }]);
    } finally {
      await admin.query(`alter database ${name} owner to current_user`);
      const client = new Client({ connectionString: url });
      await client.connect();
      await client.query(`reassign owned by ${name}_owner to current_user; drop owned by ${name}_owner`);
      await client.end();
      await admin.query(`drop role ${name}_owner`);
    }
  });

  it('says that the login or the database name is wrong, without the password', async () => {
    const wrong = new URL(url);
    wrong.password = 'hunter2';
    await expect(migrate(wrong.toString())).rejects.toMatchObject({ code: 'storage.refused', message: expect.not.stringContaining('hunter2') });
    const nowhere = new URL(url);
    nowhere.pathname = '/nowhere';
    await expect(migrate(nowhere.toString())).rejects.toMatchObject({ code: 'storage.refused', detail: expect.stringContaining('nowhere') });
  });

  it('says that a login may not use the roles', async () => {
    await admin.query(`create role ${name}_stranger login password 'x'`);
    const address = new URL(url);
    address.username = `${name}_stranger`;
    address.password = 'x';
    const databases = openDatabases(address.toString());
    try {
      await expect(inTenant(databases, '00000000-0000-4000-8000-000000000000', async () => undefined)).rejects.toMatchObject({ code: 'storage.not_migrated' });
    } finally {
      await databases.close();
      await admin.query(`drop role ${name}_stranger`);
    }
  });

  it('says that the database is away', async () => {
    const nobody = 'postgres://postgres:x@127.0.0.1:1/none';
    await expect(migrate(nobody)).rejects.toMatchObject({ code: 'storage.unavailable' });
    const databases = openDatabases(nobody);
    const failure: unknown = await inTenant(databases, '00000000-0000-4000-8000-000000000000', async () => undefined).catch((error: unknown) => error);
    await databases.close();
    expect(failure).toMatchObject({ code: 'storage.unavailable' });
    expect(isDatabaseAway(failure)).toBe(true);
  });
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + 15_000;
  while (!(await condition())) {
    if (performance.now() > giveUpAt) throw new Error('the condition never came true');
  }
}
