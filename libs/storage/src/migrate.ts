import { Client } from 'pg';
import type { DataSource, Logger } from 'typeorm';
import { MigrationFailed, SchemaUnknown, ServerTooOld } from './errors.js';
import { classifyFailure } from './failure.js';
import type { Migration } from './migration.js';
import { migrationClass, recordedName } from './migration.js';
import { migrations as released } from './migrations/index.js';

export interface MigrateOptions {
  readonly onProgress?: (message: string) => void;
  readonly migrations?: readonly Migration[];
}

/** TypeORM would print a failure that is thrown anyway. */
const silent: Logger = { logQuery: () => undefined, logQueryError: () => undefined, logQuerySlow: () => undefined, logSchemaBuild: () => undefined, logMigration: () => undefined, log: () => undefined };

/** 15.3, as `server_version_num` has it. */
const oldestServer = 150_003;

/** Session lock; the server frees it when the process that migrates is killed. */
const migrationLock = 7_219_884_101;

/**
 * Brings the database to the newest shape, as the login itself. Repeatable, safe for several processes at once (one migrates, the others wait),
 * and each migration is its own transaction: one that was killed in the middle has left nothing and runs again.
 */
export async function migrate(databaseUrl: string, { onProgress, migrations = released }: MigrateOptions = {}): Promise<{ readonly applied: readonly string[] }> {
  const lock = new Client({ connectionString: databaseUrl, connectionTimeoutMillis: 10_000, keepAlive: true });
  const lost = new Promise<never>((_, reject) => lock.on('error', reject));
  lost.catch(() => undefined); // awaited only while migrations run
  try {
    await lock.connect();
    await checkServer(lock);
    await waitForLock(lock, onProgress);
    return { applied: await Promise.race([run(databaseUrl, migrations, onProgress), lost]) };
  } catch (error) {
    throw classifyFailure(error, 'migrating the database');
  } finally {
    await lock.end().catch(() => undefined); // an already broken connection holds no lock
  }
}

async function checkServer(client: Client): Promise<void> {
  const { rows } = await client.query<{ number: string; name: string }>(`select current_setting('server_version_num') as number, current_setting('server_version') as name`);
  if (Number(rows[0]?.number) < oldestServer) throw ServerTooOld.because(`it is ${rows[0]?.name}`);
}

async function waitForLock(client: Client, onProgress: MigrateOptions['onProgress']): Promise<void> {
  const { rows } = await client.query<{ taken: boolean }>('select pg_try_advisory_lock($1) as taken', [migrationLock]);
  if (rows[0]?.taken) return;
  onProgress?.('waiting for another process that is migrating the database');
  await client.query('select pg_advisory_lock($1)', [migrationLock]);
}

async function run(databaseUrl: string, migrations: readonly Migration[], onProgress: MigrateOptions['onProgress']): Promise<readonly string[]> {
  const { DataSource } = await import('typeorm');
  const source = new DataSource({
    type: 'postgres',
    url: databaseUrl,
    applicationName: 'trunkline migrate',
    migrations: migrations.map(migrationClass),
    migrationsTableName: 'schema_migrations',
    migrationsTransactionMode: 'each',
    poolSize: 1,
    logger: silent,
  });
  await source.initialize();
  try {
    const before = await recorded(source);
    refuseUnknown(before, migrations);
    const pending = migrations.filter((migration) => !before.includes(recordedName(migration)));
    if (pending.length > 0) onProgress?.(`applying ${pending.length} migrations`);
    await runPending(source);
    return pending.map(recordedName);
  } finally {
    await source.destroy();
  }
}

async function runPending(source: DataSource): Promise<void> {
  try {
    await source.runMigrations({ transaction: 'each' });
  } catch (error) {
    const classified = classifyFailure(error, 'migrating the database');
    if (classified !== error) throw classified;
    throw MigrationFailed.from(error, error instanceof Object && 'message' in error ? String(error.message) : String(error));
  }
}

async function recorded(source: DataSource): Promise<readonly string[]> {
  const [table]: { exists: boolean }[] = await source.query(`select to_regclass('schema_migrations') is not null as exists`);
  if (!table?.exists) return [];
  const rows: { name: string }[] = await source.query('select name from schema_migrations order by id');
  return rows.map(({ name }) => name);
}

function refuseUnknown(names: readonly string[], migrations: readonly Migration[]): void {
  const known = new Set(migrations.map(recordedName));
  const unknown = names.filter((name) => !known.has(name));
  if (unknown.length > 0) throw SchemaUnknown.because(`it holds ${unknown.join(', ')}, which this version does not know`);
}
