import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startPostgres } from '@trunkline/local-services';
import { clearLockedPorts } from 'get-port';
import pg from 'pg';
import { Appender } from '../drivers/postgres/appender.js';
import { createPostgresDriver } from '../drivers/postgres/driver.js';
import { migrateEventLog } from '../drivers/postgres/migrations.js';
import { TopicCatalog } from '../drivers/postgres/topic-catalog.js';
import { partitionOf } from '../partitioner.js';
import type { Harness } from './harness.js';
import { openDriver, sessionTimeoutMs } from './postgres-entry.js';

const yearMs = 365 * 24 * 3_600_000;
/** PostgreSQL error codes. */
const lockNotAvailable = '55P03';

/** The log on a server of its own. */
export interface PostgresHarness extends Harness {
  readonly url: string;
  readonly pool: pg.Pool;
  /** Writers that call another function in place of `event_log.append`, to show what the suite makes of it. */
  writingWith(appendFunction: string): Harness['writeRudely'];
}

export async function startPostgresHarness(): Promise<PostgresHarness> {
  const dataDir = join(mkdtempSync(join(tmpdir(), 'trunkline-event-log-')), 'pg');
  let server = await startPostgres({ dataDir });
  const { port, url } = server;
  const pool = new pg.Pool({ connectionString: url, max: 12 });
  pool.on('error', () => undefined);
  await migrateEventLog(pool);
  const catalog = new TopicCatalog(pool);
  const keeper = createPostgresDriver({ pool });
  const writingWith =
    (appendFunction: string): Harness['writeRudely'] =>
    async (topic, record, { pause, isRolledBack }) => {
      const client = await pool.connect();
      const onBreak = (): void => undefined;
      client.on('error', onBreak);
      const replaced = async (config: { readonly name: string; readonly text: string }) =>
        // A single record's own statement answers as at the beginning of an hour, so that the function is asked.
        config.name === 'event_log.append-one' ? { rows: [] } : client.query({ ...config, name: appendFunction, text: config.text.replace('event_log.append', appendFunction) });
      const calling = appendFunction === 'event_log.append' ? client : { query: replaced };
      try {
        const { topicId, partitions } = await catalog.find(topic);
        await client.query('BEGIN');
        await new Appender(calling as pg.Pool, () => undefined).append([record], [{ topic, topicId, partition: partitionOf(record.key ?? Buffer.alloc(0), partitions) }]);
        await pause();
        await client.query(isRolledBack ? 'ROLLBACK' : 'COMMIT');
      } finally {
        client.off('error', onBreak);
        client.release();
      }
    };
  return {
    open: () => openDriver(url),
    sessionTimeoutMs,
    child: { module: fileURLToPath(new URL('../../dist/testing/postgres-entry.js', import.meta.url)), argument: url },
    stopServer: () => server.stop(),
    async startServer() {
      // The library keeps a port it gave out for itself for half a minute; the server has to come back on its old one.
      clearLockedPorts();
      server = await startPostgres({ dataDir, port });
      if (server.port !== port) throw new Error(`the server came back on port ${server.port} instead of ${port}`);
    },
    writeRudely: writingWith('event_log.append'),
    writingWith,
    url,
    pool,
    async applyRetention(liveGroups) {
      await pool.query('UPDATE event_log.groups SET retired_at = clock_timestamp() WHERE NOT group_name = ANY ($1)', [liveGroups]);
      await oncePossible(() => keeper.enforceRetention(Date.now() + yearMs));
    },
    hasGaplessOffsets: true,
    async close() {
      await keeper.close();
      await pool.end();
      await server.stop();
      await rm(dirname(dataDir), { recursive: true, force: true });
    },
  };
}

/** A reader that stood still with its locks for two seconds puts a round of retention off; the driver then makes the next one by itself, a minute later. */
async function oncePossible(act: () => Promise<unknown>): Promise<void> {
  for (let round = 1; ; round += 1) {
    try {
      await act();
      return;
    } catch (error) {
      const isPutOff = error instanceof pg.DatabaseError && error.code === lockNotAvailable;
      if (!isPutOff || round === 10) throw error;
    }
  }
}
