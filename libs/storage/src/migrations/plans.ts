import type { Migration } from '../migration.js';
import { tenantTable } from '../tenant-table.js';

/** Which plan an organisation has; without a row it is the plan without hindrance. The limits themselves are data of the identity lib. */
export const plans: Migration = {
  name: 'plans',
  timestamp: 1_763_700_310_000,
  statements: [
    `create table organisation_plans (
      organisation_id uuid primary key references organisations (id) on delete cascade,
      plan text not null,
      overrides jsonb not null default '{}' check (jsonb_typeof(overrides) = 'object'),
      since timestamptz not null default now()
    )`,
    // An organisation reads its plan; only the operator changes it.
    ...tenantTable('organisation_plans', { tenantMay: ['select'] }),
  ],
};

/** How much of each limit is given out in a window. Subjects are hashes, so the table names nobody; after a crash it begins anew, which costs one window's precision. */
export const rateLimits: Migration = {
  name: 'rate-limits',
  timestamp: 1_763_700_320_000,
  statements: [
    `create unlogged table rate_leases (
      subject bytea not null check (octet_length(subject) = 32),
      window_start timestamptz not null,
      taken bigint not null,
      granted bigint not null,
      primary key (subject, window_start)
    ) with (fillfactor = 70)`,
    'create index rate_leases_by_age on rate_leases (window_start)',
    'grant select, insert, update, delete on rate_leases to app_access',
  ],
};
