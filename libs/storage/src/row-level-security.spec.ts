import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import type { PoolClient } from 'pg';
import { inOrganisations, inTenant } from './transaction.js';
import type { TestDatabase } from './testing/index.js';
import { openTestDatabase } from './testing/index.js';
import { keysWithoutOrganisation, tenantTables, unforcedTables } from './testing/catalogue.js';
import { connectionAs } from './databases.js';

/** Ids only, read before the organisation is known (delivery §12). Nothing else may ever be listed here. */
const tenantFree = ['api_key_index', 'dispatches', 'due_work'];

describe('row-level security', () => {
  let database: TestDatabase;
  let owner: Client;
  const own = randomUUID();
  const other = randomUUID();

  beforeAll(async () => {
    database = await openTestDatabase({ poolSizes: { tenant: 2, system: 2 } });
    owner = new Client({ connectionString: database.url });
    await owner.connect();
    for (const id of [own, other]) {
      await owner.query('insert into organisations (id, name) values ($1, $2)', [id, `organisation ${id}`]);
    }
  }, 60_000);

  afterAll(async () => {
    await owner?.end();
    await database?.close();
  });

  describe('the catalogue', () => {
    it('shows every table with an organisation as forced, with a policy for each role', async () => {
      expect(await unforcedTables(owner, tenantFree)).toEqual([]);
    });

    it.each([
      ['no row-level security', 'create table probe (organisation_id uuid)'],
      ['security that does not bind the owner', 'create table probe (organisation_id uuid); alter table probe enable row level security'],
      ['a policy for everybody', 'create table probe (organisation_id uuid); alter table probe enable row level security; alter table probe force row level security; create policy open on probe using (true)'],
    ])('finds a table with %s', async (_, statements) => {
      await owner.query('begin');
      await owner.query(statements);
      const found = await unforcedTables(owner, tenantFree);
      await owner.query('rollback');
      expect(found).toEqual(['probe']);
    });

    it('shows the organisation in every unique key and every foreign key of a table with an organisation', async () => {
      expect(await keysWithoutOrganisation(owner)).toEqual([]);
      const { rows } = await owner.query<{ count: number }>(`select count(*)::int as count from pg_constraint where contype = 'f' and confrelid <> 'organisations'::regclass and conrelid::regclass::text = any ($1)`, [(await tenantTables(owner)).map(({ table }) => table)]);
      expect(rows[0]?.count).toBeGreaterThan(0);
    });

    it.each([
      ['a unique key', 'create unique index probe_name on integrations (name)', ['integrations.probe_name']],
      ['a primary key', 'create table probe (id uuid primary key, organisation_id uuid); alter table probe enable row level security', ['probe.probe_pkey']],
      ['a foreign key', 'create table probe (organisation_id uuid, other uuid, integration_id uuid, foreign key (other, integration_id) references integrations (organisation_id, id)); alter table probe enable row level security', ['probe.probe_other_integration_id_fkey']],
      ['a foreign key to the organisation by another column', 'create table probe (organisation_id uuid, other uuid references organisations (id)); alter table probe enable row level security', ['probe.probe_other_fkey']],
    ])('finds %s without it', async (_, statements, names) => {
      await owner.query('begin');
      await owner.query(statements);
      const found = await keysWithoutOrganisation(owner);
      await owner.query('rollback');
      expect(found).toEqual(names);
    });

    it('shows who people are to one role only, and that role nothing of any organisation', async () => {
      const { rows } = await owner.query<{ table: string; grantee: string }>(
        `select distinct table_name as table, grantee from information_schema.role_table_grants
         where grantee like 'app_%' and (grantee = 'app_access' or table_name in (select table_name from information_schema.role_table_grants where grantee = 'app_access')) order by 1, 2`,
      );
      expect(rows).toEqual(['departures', 'installation', 'openid_attempts', 'rate_leases', 'sessions', 'setup_tokens', 'sign_in_attempts', 'user_logins', 'users'].map((table) => ({ table, grantee: 'app_access' })));
      for (const { table } of await tenantTables(owner)) await expect(database.databases.access.query(`select from ${table}`)).rejects.toThrow(/permission denied/);
    });

    it('shows the keeper which grants are due to be used, and nothing else of anybody', async () => {
      const { rows } = await owner.query<{ table: string; column: string; verb: string }>(`select table_name as table, column_name as column, privilege_type as verb from information_schema.column_privileges where grantee = 'app_keeper' order by 1, 2`);
      expect(rows).toEqual(['integration_id', 'keep_alive_at', 'organisation_id', 'provider', 'state'].map((column) => ({ table: 'grants', column, verb: 'SELECT' })));
    });

    it('gives the tenant role no access to tables without an organisation', async () => {
      const { rows } = await owner.query(`select table_name from information_schema.role_table_grants where grantee in ('app_tenant', 'PUBLIC') and table_schema not in ('pg_catalog', 'information_schema') and table_name = any($1)`, [tenantFree]);
      expect(rows).toEqual([]);
    });
  });

  describe.each(['app_tenant', 'app_system'] as const)('%s', (role) => {
    const begin = async (client: PoolClient, organisationId: string | null): Promise<void> => {
      await client.query('begin');
      if (organisationId !== null) await client.query('select set_config($1, $2, true)', [role === 'app_tenant' ? 'app.org_id' : 'app.org_ids', organisationId]);
    };
    const asRole = async <T>(organisationId: string | null, work: (client: PoolClient) => Promise<T>): Promise<T> => {
      const client = await (role === 'app_tenant' ? database.databases.tenant : database.databases.system).connect();
      try {
        await begin(client, organisationId);
        return await work(client);
      } finally {
        await client.query('rollback');
        client.release();
      }
    };

    /** A verb the role was never granted touches nothing either. */
    const touched = (organisationId: string | null, statement: string): Promise<number> =>
      asRole(organisationId, (client) => countOf(client, statement)).catch((error: Error) => (error.message.startsWith('permission denied') ? 0 : Promise.reject(error)));

    it('sees, changes and deletes no row of another organisation, nor any row without one, in any tenant table', async () => {
      const tables = await tenantTables(owner);
      expect(tables.length).toBeGreaterThanOrEqual(4);
      for (const { table, column } of tables) {
        await seed(owner, table, column, other);
        const { rows } = await owner.query<{ there: boolean }>(`select exists (select from ${table} where ${column} = $1) as there`, [other]);
        expect({ table, seeded: rows[0]?.there }).toEqual({ table, seeded: true });
        for (const organisationId of [own, null]) {
          expect({ table, verb: 'select', rows: await touched(organisationId, `select from ${table} where ${column} = '${other}'`) }).toEqual({ table, verb: 'select', rows: 0 });
          expect({ table, verb: 'update', rows: await touched(organisationId, `update ${table} set ${column} = ${column} where ${column} = '${other}'`) }).toEqual({ table, verb: 'update', rows: 0 });
          expect({ table, verb: 'delete', rows: await touched(organisationId, `delete from ${table} where ${column} = '${other}'`) }).toEqual({ table, verb: 'delete', rows: 0 });
        }
      }
    });

    it('inserts no row for another organisation, nor any without one', async () => {
      for (const { table, column } of await tenantTables(owner)) {
        for (const organisationId of [own, null]) {
          const refused = asRole(organisationId, async (client) => client.query(await insertStatement(owner, table, column, other)));
          await expect(refused.then(() => `${table}: accepted`, (error: unknown) => String(error))).resolves.toMatch(/row-level security|permission denied/);
        }
      }
    });

    it('sees the rows of its own organisation', async () => {
      expect(await asRole(own, (client) => countOf(client, 'select from organisations'))).toBe(1);
    });

    it('cannot bypass the policies', async () => {
      const { rows } = await owner.query('select rolsuper, rolbypassrls, rolcanlogin from pg_roles where rolname = $1', [role]);
      expect(rows).toEqual([{ rolsuper: false, rolbypassrls: false, rolcanlogin: false }]);
      await expect(asRole(own, (client) => client.query('alter table integrations disable row level security'))).rejects.toThrow(/must be owner/);
      await expect(asRole(own, async (client) => {
        await client.query('set local row_security = off');
        await client.query('select * from organisations');
      })).rejects.toThrow(/row-level security/);
    });

    it('treats an empty setting, as a used connection has it, as no organisation', async () => {
      expect(await asRole('', (client) => countOf(client, 'select from organisations'))).toBe(0);
    });
  });

  it('leaves nothing of a transaction on the connection for its next user', async () => {
    await inTenant(database.databases, own, async (client) => expect(await countOf(client, 'select from organisations')).toBe(1));
    for (let use = 0; use < 4; use += 1) {
      const { rows } = await database.databases.tenant.query(`select current_user, coalesce(current_setting('app.org_id', true), '') as setting, (select count(*)::int from organisations) as seen`);
      expect(rows).toEqual([{ current_user: 'app_tenant', setting: '', seen: 0 }]);
    }
  });

  it('rolls back and clears the setting when the work fails', async () => {
    const failing = inTenant(database.databases, own, async (client) => {
      await client.query(`insert into integrations (organisation_id, id, provider, name) values ($1, $2, 'x', 'kept?')`, [own, randomUUID()]);
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await inTenant(database.databases, own, (client) => countOf(client, `select from integrations where name = 'kept?'`))).toBe(0);
  });

  it('sees exactly the organisations named', async () => {
    expect(await inOrganisations(database.databases, [own, other, own], (client) => countOf(client, 'select from organisations'))).toBe(2);
    expect(await inOrganisations(database.databases, [other], (client) => countOf(client, 'select from organisations'))).toBe(1);
  });

  it.each([['not-a-uuid'], [`${randomUUID()},${randomUUID()}`], ['']])('refuses to open a transaction for %j', async (organisationId) => {
    await expect(inTenant(database.databases, organisationId, async () => undefined)).rejects.toMatchObject({ code: 'storage.organisation_invalid' });
  });

  it('shows no foreign row in 1,000 mixed transactions on a pool of two connections', async () => {
    const organisations = [own, other, randomUUID(), randomUUID()];
    const foreign: unknown[] = [];
    let seen = 0;
    const once = async (turn: number): Promise<void> => {
      const organisationId = organisations[turn % organisations.length] ?? own;
      await inTenant(database.databases, organisationId, async (client) => {
        await client.query(`insert into integrations (organisation_id, id, provider, name) values ($1, $2, 'x', 'mixed') on conflict do nothing`, [organisationId, randomUUID()]);
        const { rows } = await client.query<{ organisation_id: string }>('select organisation_id from integrations');
        seen += rows.length;
        foreign.push(...rows.filter((row) => row.organisation_id !== organisationId));
        if (turn % 7 === 0) throw new Error('rolled back on purpose');
      }).catch((error: Error) => (error.message === 'rolled back on purpose' ? undefined : Promise.reject(error)));
    };
    for (const id of organisations) await owner.query('insert into organisations (id, name) values ($1, $2) on conflict do nothing', [id, id]);
    await Promise.all(Array.from({ length: 1_000 }, (_, turn) => once(turn)));
    expect(seen).toBeGreaterThan(1_000);
    expect(foreign).toEqual([]);
  }, 60_000);

  it('starts a session in its role also when the address names options of its own', () => {
    expect(connectionAs('app_log', 'postgres://u:p@h:1/d?options=-c%20work_mem%3D8MB&sslmode=disable')).toMatchObject({
      connectionString: 'postgres://u:p@h:1/d?sslmode=disable',
      options: expect.stringMatching(/^-c work_mem=8MB -c role=app_log /),
    });
  });
});

async function countOf(client: Client | PoolClient, statement: string): Promise<number> {
  return (await client.query(statement)).rowCount ?? 0;
}

/** One row of this organisation, whatever the table looks like: foreign keys and check constraints say nothing about isolation and are not looked at. */
async function seed(owner: Client, table: string, column: string, organisationId: string): Promise<void> {
  await owner.query('begin');
  await owner.query(`set local session_replication_role = replica`);
  const checks = await owner.query<{ conname: string }>(`select conname from pg_constraint where conrelid = $1::regclass and contype = 'c' and conislocal`, [table]);
  for (const { conname } of checks.rows) await owner.query(`alter table ${table} drop constraint ${conname}`);
  await owner.query(`${await insertStatement(owner, table, column, organisationId)} on conflict do nothing`);
  await owner.query('commit');
}

/** Fills the organisation and what must not be null. */
async function insertStatement(owner: Client, table: string, column: string, organisationId: string): Promise<string> {
  const { rows } = await owner.query<{ name: string; type: string }>(
    `select a.attname as name, format_type(a.atttypid, a.atttypmod) as type from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
     where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped and a.attnotnull and d.oid is null and a.attidentity = '' and a.attname <> $2`,
    [table, column],
  );
  return `insert into ${table} (${[column, ...rows.map(({ name }) => name)].join(', ')}) values (${[`'${organisationId}'`, ...rows.map(({ type }) => sampleOf(type))].join(', ')})`;
}

function sampleOf(type: string): string {
  if (type.endsWith('[]')) return `'{}'`;
  if (type === 'uuid') return `'${randomUUID()}'`;
  if (type.startsWith('timestamp')) return 'now()';
  if (type === 'date') return 'current_date';
  if (type === 'boolean') return 'false';
  if (type === 'bytea') return `decode(repeat('00', 32), 'hex')`;
  if (type.startsWith('json')) return `'[]'`;
  if (/^(?:integer|bigint|smallint|numeric|double|real)/.test(type)) return '1';
  return `'x'`;
}
