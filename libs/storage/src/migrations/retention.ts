import type { Migration } from '../migration.js';

/** From `expired_at` on nothing of an event is kept but its ids: the plan's retention is over, and the run stays as the memory of what was accepted. */
export const retention: Migration = {
  name: 'retention',
  timestamp: 1_763_700_900_000,
  statements: ['alter table run_events add column expired_at timestamptz'],
};
