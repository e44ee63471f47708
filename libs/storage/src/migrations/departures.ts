import type { Migration } from '../migration.js';

/** Organisations that have left, ids alone, for as long as something of theirs may still come out of the topics: by this list the clearing finds what was written late. Of no tenant, since the organisation itself is gone. */
export const departures: Migration = {
  name: 'departures',
  timestamp: 1_763_701_000_000,
  statements: [
    `create table departures (
      organisation uuid primary key,
      left_at timestamptz not null default now()
    )`,
    'grant select, insert, update, delete on departures to app_access',
  ],
};
