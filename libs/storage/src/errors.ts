import { defineError } from '@trunkline/contracts';

export const StorageUnavailable = defineError('storage.unavailable', {
  class: 'unavailable',
  http: 503,
  title: 'The database is away',
  fix: 'Start PostgreSQL or check DATABASE_URL; what was accepted is kept and goes on by itself once it is back.',
});

export const StorageFull = defineError('storage.full', {
  class: 'unavailable',
  http: 503,
  title: 'The database has no space left',
  fix: 'Free disk space on the database server; nothing was written, repeating is safe.',
});

export const StorageRefused = defineError('storage.refused', {
  class: 'usage',
  http: 503,
  title: 'The database refuses us',
  fix: 'Check user, password and database name in DATABASE_URL.',
});

export const NotMigrated = defineError('storage.not_migrated', {
  class: 'usage',
  http: 503,
  title: 'The database has not been prepared for Trunkline, or for this login',
  fix: 'Run the migrations with this login once (every app does at start); a login that must not migrate needs `grant app_tenant, app_system, app_log, app_access, app_custody, app_keeper to` it.',
});

export const ServerTooOld = defineError('storage.server_too_old', {
  class: 'usage',
  http: 503,
  title: 'The PostgreSQL server is too old',
  fix: 'Use PostgreSQL 15.3 or newer: older ones may apply the row policy of another role (CVE-2023-2455).',
});

export const MigrationFailed = defineError('storage.migration_failed', {
  class: 'bug',
  http: 500,
  title: 'A database migration failed and was rolled back',
  fix: 'The database is as it was before this migration. Remove the cause named here and start again.',
});

export const SchemaUnknown = defineError('storage.schema_unknown', {
  class: 'usage',
  http: 500,
  title: 'The database was migrated by another version of Trunkline',
  fix: 'Start the newer version, or point DATABASE_URL at another database; `npm run wipe` empties the embedded one.',
});

export const RolledBack = defineError('storage.rolled_back', {
  class: 'bug',
  http: 500,
  title: 'A transaction was rolled back although none of its statements was known to have failed',
  fix: 'Nothing was written, repeating is safe. Whoever ran the transaction has to pass the error of the failed statement on.',
});

export const OrganisationInvalid = defineError('storage.organisation_invalid', {
  class: 'bug',
  http: 500,
  title: 'A transaction was opened without a proper organisation',
  fix: 'Pass the organisation id (a UUID) taken from the credential.',
});
