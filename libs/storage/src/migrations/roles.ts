import type { Migration } from '../migration.js';

const applicationRoles = ['app_tenant', 'app_system', 'app_log'] as const;

/**
 * Roles belong to the whole server, not to one database: another database may create them at the same moment.
 * Nobody logs in as one of them; a session of the migrating login starts in the role it needs.
 */
const createRole = (role: string): string => `
do $$ begin
  if not exists (select from pg_roles where rolname = '${role}') then
    create role ${role} nologin nosuperuser nobypassrls nocreatedb nocreaterole noreplication;
  end if;
exception when duplicate_object or unique_violation then null;
end $$`;

/** A role of that name which could pass by row-level security is refused rather than used. */
const checkRole = (role: string): string => `
do $$ begin
  if exists (select from pg_roles where rolname = '${role}' and (rolsuper or rolbypassrls)) then
    raise exception 'role ${role} may bypass row-level security; run: alter role ${role} nosuperuser nobypassrls';
  end if;
  if not pg_has_role(current_user, '${role}', 'member') then
    execute format('grant ${role} to %I', current_user);
  end if;
end $$`;

/** Makes sure of a role of the application; the login that migrates becomes a member of it. */
export function applicationRole(role: string): readonly string[] {
  return [createRole(role), checkRole(role)];
}

export const roles: Migration = {
  name: 'roles',
  timestamp: 1_763_700_000_000,
  statements: [
    ...applicationRoles.flatMap(applicationRole),
    'grant usage on schema public to app_tenant, app_system',
  ],
};
