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
     where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and c.relkind in ('r', 'p') and not c.relispartition and c.relrowsecurity order by 1`,
  );
  return rows;
}

/** Tables without row-level security, and why they may be. Every other table of every schema of ours belongs to organisations and is shut. */
export const tenantFree: Readonly<Record<string, string>> = {
  api_key_index: 'ids and hashes of keys: looked up before the organisation is known',
  due_work: 'ids and times: claimed before the organisations are known',
  dispatches: 'ids and times: claimed before the organisations are known',
  users: 'who people are; a person may belong to several organisations; open to app_access alone, as all of the following but the log',
  user_logins: 'which account of an OpenID provider is whose',
  sessions: 'hashes of session tokens: looked up before the organisation is known',
  sign_in_attempts: 'hashes of whom and from where sign-ins failed',
  setup_tokens: 'the hash of the token of the first owner, before there is an organisation',
  installation: 'whether there has been a first owner',
  openid_attempts: 'sign-ins under way, before it is known who it is',
  rate_leases: 'hashes and counts: a limit may be of an address',
  departures: 'ids of organisations that are no more',
  schema_migrations: 'which migrations have run; open to nobody',
  'event_log.topics': 'the log is for all organisations together, open to app_log alone; tenants are given none of it',
  'event_log.partitions': 'as above',
  'event_log.segments': 'as above',
  'event_log.hours': 'as above',
  'event_log.records': 'as above',
  'event_log.groups': 'as above',
  'event_log.members': 'as above',
  'event_log.positions': 'as above',
};

/** Policies that see more than the organisations that are set, beside those of `app_tenant` and `app_system`. */
const widerPolicies: Readonly<Record<string, string>> = { data_keys: 'app_custody:*', grants: 'app_keeper:r' };

/** What a policy of each role says in PostgreSQL's own words, `%s` being the column: all of it, so that nothing can be added. */
const looksOf = {
  app_tenant: `(%s = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid)`,
  app_system: `(%s = ANY (( SELECT (string_to_array(NULLIF(current_setting('app.org_ids'::text, true), ''::text), ','::text))::uuid[] AS string_to_array)::uuid[]))`,
};

interface Relation {
  readonly name: string;
  readonly kind: string;
  readonly isPartition: boolean;
  readonly isGiven: boolean;
  readonly hasOrganisation: boolean;
  readonly isForced: boolean;
  readonly hasKey: boolean;
  readonly policies: readonly string[];
  /** Of app_tenant and app_system, those that look at anything else than the setting of their role, on reading or on writing. */
  readonly loose: readonly string[];
}

/** What is wrong with a table, as `table: what`. Whoever adds one shuts it to all but its organisation, or gives the reason above. */
export async function openTables(owner: Client): Promise<readonly string[]> {
  const { rows } = await owner.query<Relation>(
    `select c.oid::regclass::text as name, c.relkind::text as kind, c.relispartition as "isPartition",
       exists (select from aclexplode(c.relacl) a where a.grantee <> c.relowner) or exists (select from pg_attribute t where t.attrelid = c.oid and t.attacl is not null) as "isGiven",
       exists (select from pg_attribute t where t.attrelid = c.oid and t.attname = case when c.oid = to_regclass('public.organisations') then 'id' else 'organisation_id' end and t.atttypid = 'uuid'::regtype and t.attnotnull) as "hasOrganisation",
       c.relrowsecurity and c.relforcerowsecurity as "isForced",
       exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary) as "hasKey",
       (select coalesce(array_agg(coalesce(r.rolname::text, 'everybody') || ':' || p.polcmd::text order by r.rolname), '{}') from pg_policy p cross join lateral unnest(p.polroles) as role_oid left join pg_roles r on r.oid = role_oid where p.polrelid = c.oid) as policies,
       (select coalesce(array_agg(p.polname::text order by p.polname), '{}') from pg_policy p join pg_roles r on r.oid = any (p.polroles) where p.polrelid = c.oid and r.rolname in ('app_tenant', 'app_system')
          and (pg_get_expr(p.polqual, c.oid), pg_get_expr(p.polwithcheck, c.oid)) is distinct from (select (looks, looks) from format($1::jsonb ->> r.rolname, case when c.oid = to_regclass('public.organisations') then 'id' else 'organisation_id' end) looks)) as loose
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and c.relkind in ('r', 'p', 'm', 'v', 'f') order by 1`,
    [JSON.stringify(looksOf)],
  );
  return rows.flatMap((relation) => {
    const problem = problemOf(relation);
    return problem === null ? [] : [`${relation.name}: ${problem}`];
  });
}

function problemOf({ name, kind, isPartition, isGiven, hasOrganisation, isForced, hasKey, policies, loose }: Relation): string | null {
  if (isPartition) return isGiven ? 'a partition that somebody is given, past the policies of its table' : null;
  if (Object.hasOwn(tenantFree, name)) return null;
  if (kind !== 'r' && kind !== 'p') return 'a view or a foreign table, which reads with its owner’s rights';
  if (!hasOrganisation) return 'has no organisation_id that is always set, and no reason to have none';
  if (!isForced) return 'row-level security is not on, or not forced';
  if (!hasKey) return 'has no primary key';
  const wider = widerPolicies[name];
  const meant = ['app_system:*', 'app_tenant:*', ...(wider === undefined ? [] : [wider])].sort();
  if (meant.join() !== [...policies].sort().join()) return `its policies are ${policies.join(', ') || 'none'}`;
  return loose.length === 0 ? null : `the policy ${loose.join(', ')} does not look at the organisation alone`;
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
