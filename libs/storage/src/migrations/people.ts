import type { Migration } from '../migration.js';
import { tenantTable } from '../tenant-table.js';
import { applicationRole } from './roles.js';

const toAccess = (table: string): string => `grant select, insert, update, delete on ${table} to app_access`;

/**
 * Who people are is not a tenant's: one person may belong to several organisations, and signing in comes before any organisation is known.
 * Those tables belong to `app_access` alone. What an organisation may see of its people, `memberships` and `invitations`, is behind row-level security like everything of a tenant.
 */
export const people: Migration = {
  name: 'people',
  timestamp: 1_763_700_300_000,
  statements: [
    ...applicationRole('app_access'),
    'grant usage on schema public to app_access',

    `create table users (
      id uuid primary key,
      email text not null unique check (email = lower(email) and email <> ''),
      name text not null,
      password text,
      organisations uuid[] not null default '{}',
      created_at timestamptz not null default now(),
      password_changed_at timestamptz
    )`,
    toAccess('users'),

    `create table user_logins (
      issuer text not null,
      subject text not null,
      user_id uuid not null references users (id) on delete cascade,
      created_at timestamptz not null default now(),
      primary key (issuer, subject)
    )`,
    'create index user_logins_of on user_logins (user_id)',
    toAccess('user_logins'),

    `create table sessions (
      sha256 bytea primary key check (octet_length(sha256) = 32),
      id uuid not null unique,
      user_id uuid not null references users (id) on delete cascade,
      organisation uuid,
      method text not null,
      address text not null,
      browser text not null,
      created_at timestamptz not null default now(),
      used_at timestamptz not null default now(),
      expires_at timestamptz not null
    )`,
    'create index sessions_of on sessions (user_id)',
    'create index sessions_expiring on sessions (expires_at)',
    toAccess('sessions'),

    `create table sign_in_attempts (
      subject bytea primary key check (octet_length(subject) = 32),
      failures integer not null,
      since timestamptz not null,
      blocked_until timestamptz not null default '-infinity'
    )`,
    'create index sign_in_attempts_by_age on sign_in_attempts (since)',
    toAccess('sign_in_attempts'),

    `create table setup_tokens (
      sha256 bytea primary key check (octet_length(sha256) = 32),
      expires_at timestamptz not null
    )`,
    toAccess('setup_tokens'),

    // One row for ever, once the first owner is there: two set-ups at once meet in its key.
    `create table installation (
      is_set_up boolean primary key check (is_set_up),
      set_up_at timestamptz not null default now()
    )`,
    'grant select, insert on installation to app_access',

    `create table openid_attempts (
      state_sha256 bytea primary key check (octet_length(state_sha256) = 32),
      browser_sha256 bytea not null check (octet_length(browser_sha256) = 32),
      verifier text not null,
      nonce text not null,
      return_to text not null,
      invited_to uuid,
      invitation uuid,
      expires_at timestamptz not null
    )`,
    toAccess('openid_attempts'),

    // No foreign key to users: the first owner and the first organisation are made in transactions of two roles, of which one must commit first.
    `create table memberships (
      organisation_id uuid not null references organisations (id) on delete cascade,
      user_id uuid not null,
      role text not null check (role in ('owner', 'admin', 'data_ops', 'planner', 'staff', 'viewer')),
      email text not null,
      name text not null,
      created_at timestamptz not null default now(),
      primary key (organisation_id, user_id)
    )`,
    ...tenantTable('memberships'),

    `create table invitations (
      organisation_id uuid not null references organisations (id) on delete cascade,
      id uuid not null,
      email text not null check (email = lower(email)),
      role text not null check (role in ('owner', 'admin', 'data_ops', 'planner', 'staff', 'viewer')),
      sha256 bytea not null check (octet_length(sha256) = 32),
      invited_by text not null,
      created_at timestamptz not null default now(),
      expires_at timestamptz not null,
      accepted_at timestamptz,
      revoked_at timestamptz,
      primary key (organisation_id, id)
    )`,
    ...tenantTable('invitations'),

    // Who made a key, and which one it stands in for.
    'alter table api_keys add column created_by text, add column replaces text',
  ],
};
