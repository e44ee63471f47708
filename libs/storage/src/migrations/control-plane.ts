import type { Migration } from '../migration.js';
import { tenantFreeTable, tenantTable } from '../tenant-table.js';

/** What people and administrators configure: small, rarely written, read through TypeORM. */
export const controlPlane: Migration = {
  name: 'control-plane',
  timestamp: 1_763_700_100_000,
  statements: [
    `create table organisations (
      id uuid primary key,
      name text not null check (name <> ''),
      created_at timestamptz not null default now()
    )`,
    ...tenantTable('organisations', { column: 'id' }),

    `create table api_keys (
      organisation_id uuid not null references organisations (id) on delete cascade,
      key_id text not null,
      name text not null,
      prefix text not null,
      scopes text[] not null,
      created_at timestamptz not null default now(),
      expires_at timestamptz,
      revoked_at timestamptz,
      last_used_at timestamptz,
      primary key (organisation_id, key_id)
    )`,
    ...tenantTable('api_keys'),

    `create table api_key_index (
      key_id text primary key,
      sha256 bytea not null check (octet_length(sha256) = 32),
      organisation_id uuid not null,
      foreign key (organisation_id, key_id) references api_keys (organisation_id, key_id) on delete cascade
    )`,
    'create index api_key_index_owner on api_key_index (organisation_id, key_id)',
    ...tenantFreeTable('api_key_index', ['select', 'insert', 'delete']),

    `create table integrations (
      organisation_id uuid not null references organisations (id) on delete cascade,
      id uuid not null,
      provider text not null,
      name text not null,
      settings jsonb not null default '{}',
      credentials bytea,
      paused boolean not null default false,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now(),
      version integer not null default 1,
      primary key (organisation_id, id)
    )`,
    ...tenantTable('integrations'),

    `create table chain_versions (
      organisation_id uuid not null references organisations (id) on delete cascade,
      event_type text not null,
      assistant_id text not null default '',
      version integer not null check (version > 0),
      steps jsonb not null check (jsonb_typeof(steps) = 'array'),
      valid_from timestamptz not null,
      created_at timestamptz not null default now(),
      primary key (organisation_id, event_type, assistant_id, version)
    )`,
    'create index chain_versions_by_time on chain_versions (organisation_id, event_type, assistant_id, valid_from desc, version desc)',
    // P8: a version that runs were pinned to is never changed.
    ...tenantTable('chain_versions', { tenantMay: ['select', 'insert'], systemMay: ['select', 'insert'] }),
  ],
};
