import { defineError } from '@trunkline/contracts';

export const PostgresMissing = defineError('postgres.missing', {
  class: 'unavailable',
  http: 503,
  title: 'No PostgreSQL for this machine',
  fix: 'Set DATABASE_URL to a PostgreSQL 15 or newer, or run on Linux, macOS or Windows on x64 or arm64, where one comes with the packages.',
});

export const PostgresStartFailed = defineError('postgres.start_failed', {
  class: 'unavailable',
  http: 503,
  title: 'PostgreSQL did not start',
  fix: 'Read the log named in the message; `npm run wipe` starts over with empty data, or set DATABASE_URL to a server of your own.',
});
