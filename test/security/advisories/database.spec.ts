import { randomUUID } from 'node:crypto';
import { inOrganisations, inTenant } from '@trunkline/storage';
import { openTestDatabase, tenantTables, type TestDatabase } from '@trunkline/storage/testing';
import type { Client } from 'pg';

jest.setTimeout(60_000);

describe('the wall in the database', () => {
  let database: TestDatabase;
  let owner: Client;
  const [one, other] = [randomUUID(), randomUUID()];

  beforeAll(async () => {
    database = await openTestDatabase({ poolSizes: { tenant: 1, system: 1 } });
    owner = await database.owner();
    for (const id of [one, other]) {
      await owner.query('insert into organisations (id, name) values ($1, $2)', [id, id]);
      await inTenant(database.databases, id, (client) => client.query(`insert into integrations (organisation_id, id, provider, name) select $1, gen_random_uuid(), 'x', 'n' || i from generate_series(1, 20) i`, [id]));
    }
  }, 60_000);
  afterAll(() => database?.close());

  describe('Postgres CVE-2023-2455, GHSA-v26h-59p8-6x7c, CVE-2024-10978', () => {
    it('a plan that was made for one organisation shows the next one nothing of it, on the same connection', async () => {
      const statement = { name: 'kept', text: 'select organisation_id from integrations where name like $1 order by id' };
      const pids = new Set<number>();
      for (let turn = 0; turn < 40; turn += 1) {
        const organisationId = turn % 2 === 0 ? one : other;
        await inTenant(database.databases, organisationId, async (client) => {
          if (turn === 0) await client.query(`set plan_cache_mode = force_generic_plan`);
          const { rows } = await client.query<{ organisation_id: string }>({ ...statement, values: ['n%'] });
          expect(new Set(rows.map((row) => row.organisation_id))).toEqual(new Set([organisationId]));
          expect(rows).toHaveLength(20);
          const [backend] = (await client.query<{ pid: number; generic: string }>(`select pg_backend_pid() as pid, generic_plans as generic from pg_prepared_statements where name = 'kept'`)).rows;
          pids.add(backend?.pid ?? 0);
          if (turn > 2) expect(Number(backend?.generic)).toBeGreaterThan(1);
        });
      }
      expect(pids.size).toBe(1);
      for (const organisations of [[one], [one, other], [other]]) {
        await inOrganisations(database.databases, organisations, async (client) => {
          const { rows } = await client.query<{ organisation_id: string }>({ ...statement, values: ['n%'] });
          expect(new Set(rows.map((row) => row.organisation_id))).toEqual(new Set(organisations));
        });
      }
    });

    it('no function or view reads with its owner’s rights but the three that make and drop hours and days', async () => {
      const { rows } = await owner.query<{ name: string }>(`select p.oid::regprocedure::text as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace where p.prosecdef and n.nspname not in ('pg_catalog', 'information_schema') order by 1`);
      expect(rows.map(({ name }) => name)).toEqual(['event_log.drop_hours(bigint)', 'event_log.ensure_hours(integer,integer)', 'keep_attempt_partitions(integer,integer)']);
      const views = await owner.query(`select c.oid::regclass::text as view from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind in ('v', 'm') and n.nspname not in ('pg_catalog', 'information_schema') and not coalesce(c.reloptions @> array['security_invoker=true'], false)`);
      expect(views.rows).toEqual([]);
    });

    it('the server is one with the corrections', async () => {
      const { rows } = await owner.query<{ number: number }>(`select current_setting('server_version_num')::int as number`);
      expect(rows[0]?.number).toBeGreaterThanOrEqual(150_009);
    });
  });

  describe('row-level security in the wild', () => {
    it('aurora: no policy lets anything through while nothing is set, and none is an or', async () => {
      const { rows } = await owner.query<{ tablename: string; roles: string; qual: string }>(`select tablename, roles::text as roles, qual from pg_policies where schemaname = 'public'`);
      expect(rows.length).toBeGreaterThan(20);
      const isLax = ({ qual }: { readonly qual: string }): boolean => /\bor\b|is null|coalesce/i.test(qual) || !qual.includes('current_setting(');
      // These roles serve no request: they see what concerns every organisation, and of it only what says whose turn it is.
      expect(rows.filter((policy) => isLax(policy) && !/^\{app_(?:custody|keeper)\}$/.test(policy.roles))).toEqual([]);
      for (const { table } of await tenantTables(owner)) {
        for (const pool of ['tenant', 'system'] as const) {
          const seen = await database.databases[pool].query(`select from ${table}`).then(({ rowCount }) => rowCount, (error: Error) => (error.message.startsWith('permission denied') ? 0 : Promise.reject(error)));
          expect({ table, pool, seen }).toEqual({ table, pool, seen: 0 });
        }
      }
    });

    it('tazama-lf admin-service: a transaction is one connection from its beginning to its end', async () => {
      const seen = new Set<string>();
      await inTenant(database.databases, one, async (client) => {
        for (let statement = 0; statement < 5; statement += 1) seen.add(JSON.stringify((await client.query('select pg_backend_pid() as pid, txid_current() as transaction')).rows[0]));
      });
      expect(seen.size).toBe(1);
    });

    it('spiralclass, chashack-bot: what was set for one request is not set for the next, whatever became of it', async () => {
      for (const work of [async () => undefined, async () => Promise.reject(new Error('failed'))]) {
        await inTenant(database.databases, one, work).catch(() => undefined);
        const { rows } = await database.databases.tenant.query(`select coalesce(current_setting('app.org_id', true), '') as setting, (select count(*)::int from integrations) as seen`);
        expect(rows).toEqual([{ setting: '', seen: 0 }]);
      }
      await inTenant(database.databases, one, (client) => client.query(`select set_config('app.org_id', $1, true)`, [one]));
      expect((await database.databases.tenant.query('select count(*)::int as seen from integrations')).rows).toEqual([{ seen: 0 }]);
    });
  });
});
