import { randomUUID } from 'node:crypto';
import { startFaultProxy, isPostgresCommit } from '@trunkline/local-services';
import { inOrganisations, openDatabases, type LastStatement } from './index.js';
import type { TestDatabase } from './testing/index.js';
import { openTestDatabase } from './testing/index.js';

describe('a transaction whose first statement goes with its beginning', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openTestDatabase();
  }, 60_000);
  afterAll(() => database?.close());

  const seen = 'select current_setting(\'app.org_ids\') as organisations, current_setting(\'enable_seqscan\') as scans, transaction_timestamp() = statement_timestamp() as is_alone';

  it('sees the organisations and the settings it was opened with, and leaves nothing of them behind', async () => {
    const organisationId = randomUUID();
    const { rows } = await inOrganisations(database.databases, [organisationId], (client) => client.query(seen), { statements: 'set local enable_seqscan = off' });
    expect(rows).toEqual([{ organisations: organisationId, scans: 'off', is_alone: false }]);
    const after = await database.databases.system.query<{ organisations: string; scans: string }>('select coalesce(current_setting(\'app.org_ids\', true), \'\') as organisations, current_setting(\'enable_seqscan\') as scans');
    expect(after.rows).toEqual([{ organisations: '', scans: 'on' }]);
  });

  it('goes no further than its first statement when it did not begin', async () => {
    let hasGoneOn = false;
    const work = inOrganisations(database.databases, [randomUUID()], async (client) => {
      // Of a table without policies: alone it would be answered.
      await client.query('select count(*) from due_work');
      hasGoneOn = true;
    }, { statements: 'commit; select 1 / 0' });
    await expect(work).rejects.toBeInstanceOf(Error);
    expect(hasGoneOn).toBe(false);
    await expect(inOrganisations(database.databases, [randomUUID()], (client) => client.query('select 1 as one'))).resolves.toMatchObject({ rows: [{ one: 1 }] });
  });
});

describe('a transaction whose COMMIT goes right behind its last statements', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openTestDatabase();
  }, 60_000);
  afterAll(() => database?.close());

  /** Of a table without policies: nothing but the transaction decides whether the row stays. */
  const insert = (id: string): LastStatement => ({ name: 'spec-insert', text: `insert into dispatches (id, instance, items, sweep_at) values ($1, 'spec', '[]', now())`, values: [id] });
  const isThere = async (id: string): Promise<boolean> => (await database.databases.system.query('select from dispatches where id = $1', [id])).rowCount === 1;
  const raise = (code: string): LastStatement => ({ name: `spec-raise-${code}`, text: `do $$ begin raise exception 'spec' using errcode = '${code}'; end $$`, values: [] });

  it.each([true, undefined])('answers its statements in order once all of it is committed (begins unanswered: %s)', async (goesOn) => {
    const id = randomUUID();
    const told: string[] = [];
    const answers = await inOrganisations(database.databases, [randomUUID()], (_, ending) => ending.commitBehind([insert(id), { name: 'spec-count', text: 'select count(*)::int as count from dispatches where id = $1', values: [id] }], () => told.push('sent')), { statements: '', ...(goesOn && { goesOn }) });
    expect([answers.map(({ rowCount, rows }) => ({ rowCount, rows })), told, await isThere(id)]).toEqual([[{ rowCount: 1, rows: [] }, { rowCount: 1, rows: [{ count: 1 }] }], ['sent'], true]);
  });

  it.each(['40001', '40P01', '23505', '22P02'])('rejects with the error of the statement, %s, and nothing of it stays, whichever statement it was', async (code) => {
    const [before, first, second] = [randomUUID(), randomUUID(), randomUUID()];
    for (const statements of [[raise(code), insert(second)], [insert(first), raise(code)]]) {
      const work = inOrganisations(database.databases, [randomUUID()], async (client, ending) => {
        await client.query(insert(before));
        await ending.commitBehind(statements);
      });
      await expect(work).rejects.toMatchObject({ code });
    }
    expect(await Promise.all([before, first, second].map(isThere))).toEqual([false, false, false]);
    expect(database.databases.system.idleCount).toBe(database.databases.system.totalCount);
  });

  it('rejects with the time limit that a statement ran into', async () => {
    const id = randomUUID();
    const work = inOrganisations(database.databases, [randomUUID()], (_, ending) => ending.commitBehind([insert(id), { name: 'spec-sleep', text: 'select pg_sleep(30)', values: [] }]), { statements: 'set local statement_timeout = 50' });
    await expect(work).rejects.toMatchObject({ code: '57014' });
    expect(await isThere(id)).toBe(false);
  });

  it.each([
    ['before its last statement', 'lose', (request: Buffer) => request.includes('\0spec-insert\0'), false],
    ['before its COMMIT', 'lose', isPostgresCommit, false],
    ['behind its COMMIT', 'drop', isPostgresCommit, true],
  ] as const)('does not say that it is committed when the connection breaks %s, whatever became of it', async (_name, kind, matches, stays) => {
    const url = new URL(database.url);
    const proxy = await startFaultProxy({ targetPort: Number(url.port) });
    url.port = String(proxy.port);
    const databases = openDatabases(url.toString());
    const id = randomUUID();
    const happened = proxy.failNextResponse(kind, matches);
    await expect(inOrganisations(databases, [randomUUID()], (_, ending) => ending.commitBehind([insert(id)]))).rejects.toMatchObject({ code: 'storage.unavailable' });
    await happened;
    // The session that lost its client may still be at it.
    for (const until = performance.now() + 10_000; (await isThere(id)) !== stays && performance.now() < until;) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await isThere(id)).toBe(stays);
    await databases.close();
    await proxy.stop();
  });

  it('is an error when the COMMIT is answered with ROLLBACK and no statement was heard to fail', async () => {
    const failAndSaySo = async (client: { query(text: string): Promise<unknown> }): Promise<void> => void (await client.query('select 1 / 0').catch(() => undefined));
    await expect(inOrganisations(database.databases, [randomUUID()], failAndSaySo)).rejects.toMatchObject({ code: 'storage.rolled_back' });
    const work = inOrganisations(database.databases, [randomUUID()], async (client, ending) => {
      await failAndSaySo(client);
      await ending.commitBehind([]);
    });
    await expect(work).rejects.toMatchObject({ code: 'storage.rolled_back' });
  });

  it('tells of nothing but the refusal where it has not begun, and no row of an organisation is written or seen', async () => {
    const organisationId = randomUUID();
    const refused = { statements: 'commit; select 1 / 0', goesOn: true } as const;
    let heard: unknown;
    const asks = inOrganisations(database.databases, [organisationId], async (client) => {
      heard = await client.query('select count(*) from due_work');
    }, refused);
    await expect(asks).rejects.toMatchObject({ code: '22012' });
    expect(heard).toBeUndefined();
    const writes = inOrganisations(database.databases, [organisationId], async (_, ending) => {
      heard = await ending.commitBehind([{ name: 'spec-tenant', text: `insert into subject_turns (organisation_id, integration_id, subject_hash, next_number) values ($1, $1, 'spec', 1)`, values: [organisationId] }]);
    }, refused);
    await expect(writes).rejects.toMatchObject({ code: '22012' });
    expect(heard).toBeUndefined();
    await expect(inOrganisations(database.databases, [organisationId], (client) => client.query('select from subject_turns where organisation_id = $1', [organisationId]))).resolves.toMatchObject({ rowCount: 0 });
  });
});
