import pg from 'pg';
import type { LogDriver } from '../driver.js';
import { createPostgresDriver } from '../drivers/postgres/driver.js';
import { driverOf } from './delegate.js';

export const sessionTimeoutMs = 4_000;

/** Opens a driver with a pool of its own, in the test or in a child process. */
export async function openDriver(connectionString: string): Promise<LogDriver> {
  const pool = new pg.Pool({ connectionString, max: 4 });
  const driver = createPostgresDriver({ pool, listenConnectionString: connectionString, sessionTimeoutMs, heartbeatMs: 200 });
  return driverOf(driver, {
    close: async () => {
      await driver.close();
      await pool.end();
    },
  });
}
