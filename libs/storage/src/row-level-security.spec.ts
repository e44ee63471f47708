import { randomUUID } from 'node:crypto';
import type { Client } from 'pg';
import type { PoolClient } from 'pg';
import { inOrganisations, inTenant } from './transaction.js';
import type { TestDatabase } from './testing/index.js';
import { openTestDatabase } from './testing/index.js';
import { keysWithoutOrganisation, openTables, tenantFree, tenantTables } from './testing/catalogue.js';
import { rightsGiven, rightsMeant } from './testing/given-rights.js';
import { connectionAs } from './databases.js';
import { tenantTable } from './tenant-table.js';

const shut = 'alter table probe enable row level security; alter table probe force row level security;';
const [ofTenant, ofSystem] = [`organisation_id = nullif(current_setting('app.org_id', true), '')::uuid`, `organisation_id = any((select string_to_array(nullif(current_setting('app.org_ids', true), ''), ',')::uuid[])::uuid[])`];
const policies = (tenant = ofTenant, system = tenant === ofTenant ? ofSystem : tenant, tenantWrites = tenant): string =>
  `create policy tenant on probe to app_tenant using (${tenant}) with check (${tenantWrites}); create policy system on probe to app_system using (${system}) with check (${system});`;

describe('row-level security', () => {
  let database: TestDatabase;
  let owner: Client;
  const own = randomUUID();
  const other = randomUUID();

  beforeAll(async () => {
    database = await openTestDatabase({ poolSizes: { tenant: 2, system: 2 } });
    owner = await database.owner();
    for (const id of [own, other]) {
      await owner.query('insert into organisations (id, name) values ($1, $2)', [id, `organisation ${id}`]);
    }
  }, 60_000);

  afterAll(() => database?.close());

  describe('the catalogue', () => {
    /** In a transaction that is taken back. */
    async function after<T>(statements: string, look: () => Promise<T>): Promise<T> {
      await owner.query('begin');
      try {
        await owner.query(statements);
        return await look();
      } finally {
        await owner.query('rollback');
      }
    }

    it('shows every table as shut to all but its organisation, or on the list of those that need not be', async () => {
      expect(await openTables(owner)).toEqual([]);
    });

    it('has no table on that list that is not there', async () => {
      const { rows } = await owner.query<{ name: string }>('select name from unnest($1::text[]) as name where to_regclass(name) is null', [Object.keys(tenantFree)]);
      expect(rows).toEqual([]);
    });

    it.each([
      ['by hand', `${shut} ${policies()}`],
      ['as every table is', tenantTable('probe').join('; ')],
    ])('lets pass a table that is shut %s', async (_, statements) => {
      expect(await after(`create table probe (organisation_id uuid primary key); ${statements}`, () => openTables(owner))).toEqual([]);
    });

    it.each([
      ['an organisation under a name of its own', 'create table probe (tenant uuid)', 'probe: has no organisation_id'],
      ['such a one, shut by its own name', `create table probe (council uuid primary key); ${shut} ${policies('true')}`, 'probe: has no organisation_id'],
      ['no organisation at all', 'create table probe (content jsonb)', 'probe: has no organisation_id'],
      ['an organisation that may be missing', `create table probe (organisation_id uuid); ${shut} ${policies()}`, 'probe: has no organisation_id'],
      ['a schema of its own', 'create schema elsewhere; create table elsewhere.probe (organisation_id uuid primary key)', 'elsewhere.probe: row-level security is not on'],
      ['no row-level security', 'create table probe (organisation_id uuid primary key)', 'probe: row-level security is not on'],
      ['security that does not bind the owner', 'create table probe (organisation_id uuid primary key); alter table probe enable row level security', 'probe: row-level security is not on, or not forced'],
      ['no primary key', `create table probe (organisation_id uuid not null); ${shut} ${policies()}`, 'probe: has no primary key'],
      ['a policy for everybody', `create table probe (organisation_id uuid primary key); ${shut} ${policies()} create policy open on probe using (true)`, 'probe: its policies are'],
      ['policies that let everything through', `create table probe (organisation_id uuid primary key); ${shut} ${policies('true')}`, 'does not look at the organisation'],
      ['policies that let everything through besides', `create table probe (organisation_id uuid primary key); ${shut} ${policies(`${ofTenant} or true`)}`, 'probe: the policy system, tenant does not look at the organisation alone'],
      ['a policy that lets some rows through besides', `create table probe (organisation_id uuid primary key, id uuid, public_flag bool); ${shut} ${policies(ofTenant, `${ofSystem.replace('organisation_id', 'id')} or public_flag`)}`, 'probe: the policy system does not look at the organisation alone'],
      ['a policy that looks at another id', `create table probe (organisation_id uuid primary key, id uuid); ${shut} ${policies(ofTenant.replace('organisation_id', 'id'), ofSystem)}`, 'probe: the policy tenant does not look at the organisation alone'],
      ['tenants that see the organisations of the system', `create table probe (organisation_id uuid primary key); ${shut} ${policies(ofSystem, ofSystem)}`, 'probe: the policy tenant does not look at the organisation alone'],
      ['tenants that write what they like', `create table probe (organisation_id uuid primary key); ${shut} ${policies(ofTenant, ofSystem, `${ofTenant} or true`)}`, 'probe: the policy tenant does not look at the organisation alone'],
      ['a policy that does not say what may be written', `create table probe (organisation_id uuid primary key); ${shut} create policy tenant on probe to app_tenant using (${ofTenant}); create policy system on probe to app_system using (${ofSystem}) with check (${ofSystem})`, 'probe: the policy tenant does not look at the organisation alone'],
      ['one more role that sees it', 'create policy wide on integrations to app_access using (true)', 'integrations: its policies are'],
      ['a view over it', 'create view probe as select * from integrations', 'probe: a view'],
      ['a copy of it', 'create materialized view probe as select * from integrations', 'probe: a view'],
      ['a partition that somebody is given', 'grant select on attempts_other to app_system', 'attempts_other: a partition that somebody is given'],
    ])('finds a table with %s', async (_, statements, problem) => {
      expect(await after(statements, () => openTables(owner))).toEqual([expect.stringContaining(problem)]);
    });

    it('gives each role what it is meant to have, and nothing else', async () => {
      expect(await rightsGiven(owner)).toEqual(rightsMeant);
    });

    it.each([
      ['a verb', 'grant truncate on integrations to app_tenant', 'app_tenant may delete insert select truncate update'],
      ['a table', 'grant select on integrations to app_access', 'app_access may select'],
      ['a column', 'grant select (wrapped) on data_keys to app_keeper', 'app_keeper may select'],
      ['a partition', 'grant select on attempts_other to app_custody', 'app_custody may select'],
      ['an hour of the log', 'grant select on event_log.records_1 to app_tenant', 'app_tenant may select'],
      ['a function', 'create function peek() returns int language sql as $$ select 1 $$', 'everybody may execute'],
      ['what is made from now on', 'alter default privileges grant select on tables to app_tenant', 'app_tenant may select'],
      ['everybody', 'grant select on users to public', 'everybody may select'],
      ['another role', 'create role probe_reader; grant select on users to probe_reader', 'probe_reader may select'],
    ])('finds %s that was given besides', async (_, statements, line) => {
      const given = await after(`select event_log.ensure_hours(1, 1); ${statements}`, () => rightsGiven(owner));
      expect(given[line]).toBeDefined();
      expect(given[line]).not.toEqual(rightsMeant[line]);
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

    it('shows the role of people and sessions nothing of any organisation', async () => {
      for (const { table } of await tenantTables(owner)) await expect(database.databases.access.query(`select from ${table}`)).rejects.toThrow(/permission denied/);
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
