import { isPostgresCommit, startFaultProxy, type FaultProxy } from '@trunkline/local-services';
import { openDatabases, type Databases } from '@trunkline/storage';
import { openTestDatabase, type TestDatabase } from '@trunkline/storage/testing';
import pg from 'pg';
import { createPostgresDriver } from './driver.js';

/** Retention held a connection that nobody listened to: cut at its commit, the error had no listener and ended the process. */
describe('retention whose connection is cut at the commit', () => {
  let database: TestDatabase;
  let proxy: FaultProxy;
  let databases: Databases;

  beforeAll(async () => {
    database = await openTestDatabase();
    const url = new URL(database.url);
    proxy = await startFaultProxy({ targetPort: Number(url.port) });
    url.port = String(proxy.port);
    databases = openDatabases(url.toString());
  }, 60_000);

  afterAll(async () => {
    await databases.close();
    await proxy.stop();
    await database.close();
  });

  /** The server has noticed the cut and ended the transaction: until then it holds what the next one waits for, two seconds at most. */
  async function hoursAreFree(): Promise<void> {
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    await client.query(`SELECT pg_advisory_lock(hashtextextended('event_log.hours', 0))`);
    await client.end();
  }

  it.each(['drop', 'lose'] as const)('fails once (%s) and works the next time', async (kind) => {
    const driver = createPostgresDriver({ pool: databases.log, listenConnectionString: database.url });
    const happened = proxy.failNextResponse(kind, isPostgresCommit);
    await expect(driver.enforceRetention()).rejects.toThrow(/terminated/);
    await happened;
    await hoursAreFree();
    await expect(driver.enforceRetention()).resolves.toEqual(expect.any(Number));
    await driver.close();
  });
});
