import type { Client } from 'pg';

/** Who may do what with which table, column, schema and function, as `role may verbs` → things. Partitions are named by what they belong to; who owns a thing is left out. */
export async function rightsGiven(owner: Client): Promise<Readonly<Record<string, readonly string[]>>> {
  const { rows } = await owner.query<{ may: string; things: string[] }>(
    `with ours as (select oid, nspname, nspowner, nspacl from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'),
     given as (
       select a.grantee, a.privilege_type, case when c.relispartition then 'a partition of ' || pg_partition_root(c.oid)::regclass::text else c.oid::regclass::text end as thing
       from pg_class c join ours on ours.oid = c.relnamespace cross join lateral aclexplode(c.relacl) a where a.grantee <> c.relowner
       union all
       select a.grantee, a.privilege_type, case when c.relispartition then 'a partition of ' || pg_partition_root(c.oid)::regclass::text else c.oid::regclass::text end || '.' || t.attname
       from pg_attribute t join pg_class c on c.oid = t.attrelid join ours on ours.oid = c.relnamespace cross join lateral aclexplode(t.attacl) a where a.grantee <> c.relowner
       union all
       select a.grantee, a.privilege_type, 'schema ' || nspname from ours cross join lateral aclexplode(coalesce(nspacl, acldefault('n', nspowner))) a where a.grantee <> nspowner
       union all
       select a.grantee, a.privilege_type, p.oid::regproc::text || '()' from pg_proc p join ours on ours.oid = p.pronamespace cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a where a.grantee <> p.proowner
       union all
       select a.grantee, a.privilege_type, 'everything made from now on' from pg_default_acl d cross join lateral aclexplode(d.defaclacl) a where a.grantee <> d.defaclrole
     ),
     of_thing as (
       select coalesce(r.rolname::text, 'everybody') || ' may ' || string_agg(distinct lower(g.privilege_type), ' ') as may, g.thing
       from given g left join pg_roles r on r.oid = g.grantee group by r.rolname, g.thing
     )
     select may, array_agg(thing order by thing collate "C") as things from of_thing group by may order by may collate "C"`,
  );
  return Object.fromEntries(rows.map(({ may, things }) => [may, things]));
}

const ofOneOrganisation = ['api_keys', 'data_keys', 'grants', 'integrations', 'invitations', 'memberships', 'organisations', 'sign_ins'] as const;
const ofRuns = ['attempts', 'budget_windows', 'dead_letters', 'gates', 'handovers', 'intents', 'run_events', 'runs', 'subject_holders', 'subject_turns'] as const;
const changing = 'delete insert select update';
const inOrder = (...things: readonly string[]): readonly string[] => [...things].sort();

/** Everything that is meant to be given. A new right is added here, with what it is for, or not at all. */
export const rightsMeant: Readonly<Record<string, readonly string[]>> = {
  // Who people are, sessions, rate limits, who has left: of no organisation, and closed to every role that sees one's rows.
  [`app_access may ${changing}`]: ['departures', 'openid_attempts', 'rate_leases', 'sessions', 'setup_tokens', 'sign_in_attempts', 'user_logins', 'users'],
  'app_access may insert select': ['installation'],
  'app_access may usage': ['schema public'],
  // Wraps data keys anew: sees them wrapped, and nothing else.
  'app_custody may select': ['data_keys.id', 'data_keys.organisation_id'],
  'app_custody may select update': ['data_keys.wrapped'],
  'app_custody may usage': ['schema public'],
  // Finds grants that are due to be used.
  'app_keeper may select': ['grants.integration_id', 'grants.keep_alive_at', 'grants.organisation_id', 'grants.provider', 'grants.state'],
  'app_keeper may usage': ['schema public'],
  // The event log, and nothing of any other table.
  [`app_log may ${changing}`]: ['event_log.groups', 'event_log.members', 'event_log.partitions', 'event_log.positions', 'event_log.records', 'event_log.segments', 'event_log.topics'],
  'app_log may execute': ['event_log.append()', 'event_log.drop_hours()', 'event_log.ensure_hours()', 'event_log.roll_hours()'],
  'app_log may select': ['event_log.hours'],
  'app_log may usage': ['schema event_log'],
  // The platform's own work, in the organisations it names.
  [`app_system may ${changing}`]: inOrder(...ofOneOrganisation, ...ofRuns, 'organisation_plans', 'dispatches', 'due_work'),
  'app_system may delete insert select': ['api_key_index'],
  'app_system may execute': ['keep_attempt_partitions()'],
  'app_system may insert select': ['audit_entries', 'chain_versions'],
  'app_system may usage': ['schema public'],
  // One organisation: what it configures it changes, what happened it sees.
  [`app_tenant may ${changing}`]: inOrder(...ofOneOrganisation),
  'app_tenant may insert select': ['audit_entries', 'chain_versions'],
  'app_tenant may select': inOrder(...ofRuns, 'organisation_plans'),
  'app_tenant may usage': ['schema public'],
  // A trigger's function: to call it otherwise is an error.
  'everybody may execute': ['refuse_late_chain_version()'],
  'everybody may usage': ['schema public'],
};
