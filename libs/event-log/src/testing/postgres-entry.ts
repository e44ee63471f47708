import pg from 'pg';
import type { LogDriver } from '../driver.js';
import { createPostgresDriver } from '../drivers/postgres/driver.js';
import { driverOf } from './delegate.js';

export const sessionTimeoutMs = 4_000;

/** Opens a driver with a pool of its own, in the test or in a child process. */
export async function openDriver(connectionString: string): Promise<LogDriver> {
  return driverOver(new pg.Pool({ connectionString, max: 4 }), connectionString);
}

/** The driver owns the pool: closing it ends both. */
export function driverOver(pool: pg.Pool, connectionString: string): LogDriver {
  const driver = createPostgresDriver({ pool, listenConnectionString: connectionString, sessionTimeoutMs, heartbeatMs: 200 });
  return driverOf(driver, {
    close: async () => {
      await driver.close();
      await pool.end();
    },
  });
}
