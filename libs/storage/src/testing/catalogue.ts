import type { Client } from 'pg';

export interface TenantTable {
  readonly table: string;
  /** Holds the organisation. */
  readonly column: string;
}

/** Every table that holds rows of organisations, partitions left out: nobody is given access to those. */
export async function tenantTables(owner: Client): Promise<readonly TenantTable[]> {
  const { rows } = await owner.query<TenantTable>(
    `select c.oid::regclass::text as table, case when c.relname = 'organisations' then 'id' else 'organisation_id' end as column
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition and c.relrowsecurity order by 1`,
  );
  return rows;
}

/** Tables with an organisation that are not shut: row-level security off or not forced, a policy missing, or one that is not for exactly our roles: besides the two, `app_custody` sees the wrapped data keys, to wrap them anew, and `app_keeper` which grants are due to be used. */
export async function unforcedTables(owner: Client, tenantFree: readonly string[]): Promise<readonly string[]> {
  const { rows } = await owner.query<{ table: string }>(
    `select c.relname as table
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast') and c.relkind in ('r', 'p', 'm', 'f')
       and (c.relname = 'organisations' or exists (select from pg_attribute a where a.attrelid = c.oid and a.attname in ('organisation_id', 'organization_id', 'tenant_id', 'org_id') and not a.attisdropped))
       and c.relname <> all ($1)
       and not (c.relispartition and not exists (select from information_schema.role_table_grants g where g.table_schema = n.nspname and g.table_name = c.relname and g.grantee in ('PUBLIC', 'app_tenant', 'app_system', 'app_log')))
       and not (c.relrowsecurity and c.relforcerowsecurity and (
         select coalesce(array_agg(r.rolname::text || ':' || p.polcmd::text order by r.rolname), '{}') = case c.relname when 'data_keys' then array['app_custody:*', 'app_system:*', 'app_tenant:*'] when 'grants' then array['app_keeper:r', 'app_system:*', 'app_tenant:*'] else array['app_system:*', 'app_tenant:*'] end
         from pg_policy p cross join lateral unnest(p.polroles) as role_oid left join pg_roles r on r.oid = role_oid where p.polrelid = c.oid))
     order by 1`,
    [tenantFree],
  );
  return rows.map(({ table }) => table);
}

/**
 * Unique indexes and foreign keys of tenant tables that leave the organisation out, as `table.name`. A unique key without it tells one organisation what another has;
 * a foreign key without it lets a row of one refer to a row of another.
 */
export async function keysWithoutOrganisation(owner: Client): Promise<readonly string[]> {
  const tables = await tenantTables(owner);
  const names = tables.map(({ table }) => table);
  const columns = tables.map(({ column }) => column);
  const { rows } = await owner.query<{ key: string }>(
    `with tenant as (select t.name::regclass as oid, t.name, a.attnum as organisation from unnest($1::text[], $2::text[]) as t (name, column_name) join pg_attribute a on a.attrelid = t.name::regclass and a.attname = t.column_name)
     select t.name || '.' || i.indexrelid::regclass::text as key from pg_index i join tenant t on t.oid = i.indrelid where i.indisunique and not (t.organisation = any (i.indkey::smallint[]))
     union all
     select t.name || '.' || f.conname from pg_constraint f join tenant t on t.oid = f.conrelid left join tenant other on other.oid = f.confrelid
     where f.contype = 'f' and other.oid is not null and coalesce(f.confkey[array_position(f.conkey, t.organisation)], 0) <> other.organisation
     order by 1`,
    [names, columns],
  );
  return rows.map(({ key }) => key);
}

/** Columns of every table as `name type [not null]`, for the golden file: a shape that changes, changes on purpose. */
export async function rowShapes(owner: Client): Promise<Readonly<Record<string, readonly string[]>>> {
  const { rows } = await owner.query<{ table: string; columns: string[] }>(
    `select case n.nspname when 'public' then '' else n.nspname || '.' end || c.relname as table,
            array_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || case when a.attnotnull then ' not null' else '' end order by a.attnum) as columns
     from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     where n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast') and c.relkind in ('r', 'p') and not c.relispartition and c.relname <> 'schema_migrations'
     group by 1 order by 1`,
  );
  return Object.fromEntries(rows.map(({ table, columns }) => [table, columns]));
}
