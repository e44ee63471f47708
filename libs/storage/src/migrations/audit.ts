import type { Migration } from '../migration.js';
import { tenantTable } from '../tenant-table.js';

/** Who did what: rows are added and read, never changed. Each carries the hash of the one before it, so that a change made behind the application's back shows. */
export const audit: Migration = {
  name: 'audit',
  timestamp: 1_763_700_700_000,
  statements: [
    `create table audit_entries (
      organisation_id uuid not null references organisations (id) on delete cascade,
      seq bigint not null check (seq > 0),
      content text not null,
      hash bytea not null check (octet_length(hash) = 32),
      primary key (organisation_id, seq)
    )`,
    ...tenantTable('audit_entries', { tenantMay: ['select', 'insert'], systemMay: ['select', 'insert'] }),
  ],
};
