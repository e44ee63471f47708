import type { Migration } from '../migration.js';
import { tenantTable } from '../tenant-table.js';
import { applicationRole } from './roles.js';

/**
 * One data key per organisation seals its secrets; a master key, which is never in the database, wraps it.
 * `app_custody` sees every wrapped key and nothing else: it wraps them anew when the master key changes.
 */
export const dataKeys: Migration = {
  name: 'data-keys',
  timestamp: 1_763_700_600_000,
  statements: [
    ...applicationRole('app_custody'),
    'grant usage on schema public to app_custody',

    `create table data_keys (
      organisation_id uuid not null references organisations (id) on delete cascade,
      id uuid not null,
      wrapped bytea,
      is_current boolean not null default true,
      created_at timestamptz not null default now(),
      destroyed_at timestamptz,
      primary key (organisation_id, id),
      check ((wrapped is null) = (destroyed_at is not null))
    )`,
    'create unique index data_keys_current on data_keys (organisation_id) where is_current',
    ...tenantTable('data_keys'),
    'create policy custody on data_keys for all to app_custody using (true) with check (true)',
    'grant select (organisation_id, id, wrapped), update (wrapped) on data_keys to app_custody',
  ],
};
