import type { Migration } from '../migration.js';
import { tenantTable } from '../tenant-table.js';
import { applicationRole } from './roles.js';

/**
 * What people granted us by signing in at a provider: one row per integration, its tokens sealed, and one per sign-in under way.
 * `app_keeper` sees of all organisations which grant is due to be used, and nothing of what was granted.
 */
export const grants: Migration = {
  name: 'grants',
  timestamp: 1_763_700_800_000,
  statements: [
    ...applicationRole('app_keeper'),
    'grant usage on schema public to app_keeper',

    `create table grants (
      organisation_id uuid not null,
      integration_id uuid not null,
      provider text not null,
      state text not null check (state in ('connected', 'reconnect', 'disconnected')),
      reason text,
      tokens bytea,
      version integer not null default 1,
      expires_at timestamptz,
      keep_alive_at timestamptz,
      refreshing_by uuid,
      refreshing_until timestamptz,
      unfinished integer not null default 0,
      connected_by text not null,
      connected_at timestamptz not null default now(),
      refreshed_at timestamptz not null default now(),
      primary key (organisation_id, integration_id),
      foreign key (organisation_id, integration_id) references integrations (organisation_id, id) on delete cascade,
      check (state <> 'connected' or tokens is not null)
    )`,
    `create index grants_to_keep_alive on grants (keep_alive_at) where state = 'connected'`,
    ...tenantTable('grants'),
    'create policy keeper on grants for select to app_keeper using (true)',
    'grant select (organisation_id, integration_id, provider, state, keep_alive_at) on grants to app_keeper',

    `create table sign_ins (
      organisation_id uuid not null,
      state_sha256 bytea not null check (octet_length(state_sha256) = 32),
      integration_id uuid not null,
      integration_version integer not null,
      provider text not null,
      started_by text not null,
      session_id uuid,
      redirect_uri text not null,
      secrets bytea not null,
      confirmation_sha256 bytea check (octet_length(confirmation_sha256) = 32),
      expires_at timestamptz not null,
      primary key (organisation_id, state_sha256),
      foreign key (organisation_id, integration_id) references integrations (organisation_id, id) on delete cascade
    )`,
    'create index sign_ins_of on sign_ins (organisation_id, integration_id)',
    ...tenantTable('sign_ins'),
  ],
};
