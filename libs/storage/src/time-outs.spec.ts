import { connectionAs } from './databases.js';
import type { TestDatabase } from './testing/index.js';
import { openTestDatabase } from './testing/index.js';

describe('a statement that hangs', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openTestDatabase();
  }, 60_000);
  afterAll(() => database?.close());

  it.each([
    ['tenant', '15s'],
    ['system', '30s'],
    ['log', '30s'],
  ] as const)('is ended by the server on the pool %s: after 5 s for a lock, %s in all', async (pool, statement) => {
    const { rows } = await database.databases[pool].query<{ lock: string; statement: string }>(`select current_setting('lock_timeout') as lock, current_setting('statement_timeout') as statement`);
    expect(rows).toEqual([{ lock: '5s', statement }]);
  });

  it('waits for a lock 5 s and not longer', async () => {
    const holder = await database.owner();
    await holder.query('begin; lock table due_work in access exclusive mode');
    const startedAt = performance.now();
    await expect(database.databases.system.query('select 1 from due_work')).rejects.toMatchObject({ code: '55P03' });
    expect(performance.now() - startedAt).toBeLessThan(15_000);
    await holder.end();
  }, 30_000);

  it('is given up by the client where the server says nothing any more', () => {
    expect(connectionAs('app_system', 'postgres://login@127.0.0.1:1/x').query_timeout).toBe(40_000);
  });
});
