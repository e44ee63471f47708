import { randomUUID } from 'node:crypto';
import { inTenant } from '@trunkline/storage';
import { openTestDatabase, type TestDatabase } from '@trunkline/storage/testing';
import type { Client } from 'pg';
import { appendEntry, createAuditTrail, parseHead, Verification, type NewEntry, type StoredEntry, type Verdict } from './index.js';
import { beginning, canonical, hashOf } from './entry.js';

const entry = (subject: string): NewEntry => ({ actor: 'user:u-1', address: '192.0.2.7', action: 'integrations:write', subject, outcome: 'done', requestId: 'request-1', before: null, after: { name: 'Salesforce', settings: { b: 2, a: [1, { z: null }] } } });

describe('the audit trail', () => {
  let database: TestDatabase;
  let owner: Client;
  let organisationId: string;

  beforeAll(async () => {
    database = await openTestDatabase();
    owner = await database.owner();
  }, 60_000);
  afterAll(() => database.close());
  beforeEach(async () => {
    organisationId = await organisation();
  });

  async function organisation(): Promise<string> {
    const id = randomUUID();
    await owner.query('insert into organisations (id, name) values ($1, $2)', [id, 'Harbour City Council']);
    return id;
  }

  const trail = () => createAuditTrail(database.databases);
  const all = (): Promise<readonly StoredEntry[]> => trail().list(organisationId, { afterSeq: 0, limit: 1_000 });
  async function verdict(head?: string): Promise<Verdict> {
    const verification = new Verification(organisationId, head === undefined ? null : parseHead(head));
    for (const stored of await all()) {
      const broken = verification.next(stored);
      if (broken !== null) return broken;
    }
    return verification.end();
  }
  const write = async (count: number): Promise<void> => {
    for (let number = 1; number <= count; number += 1) await trail().append(organisationId, entry(`integration:${number}`));
  };

  it('says who did what, when, from where, before and after', async () => {
    await write(1);
    const [stored] = await all();
    expect(JSON.parse(stored?.content ?? '')).toEqual({ ...entry('integration:1'), at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) });
    expect(await verdict()).toEqual({ kind: 'whole', entries: 1, head: expect.stringMatching(/^1:[0-9a-f]{64}$/) });
  });

  it('keeps one line of numbers however many write at once', async () => {
    await Promise.all(Array.from({ length: 40 }, (_, index) => trail().append(organisationId, entry(`run:${index}`))));
    expect((await all()).map(({ seq }) => seq)).toEqual(Array.from({ length: 40 }, (_, index) => index + 1));
    expect(await verdict()).toMatchObject({ kind: 'whole', entries: 40 });
  });

  it('is written with what it tells of, or not at all', async () => {
    await write(1);
    await expect(
      inTenant(database.databases, organisationId, async (client) => {
        await appendEntry(client, organisationId, entry('integration:never'));
        throw new Error('the effect failed');
      }),
    ).rejects.toThrow('the effect failed');
    expect(await all()).toHaveLength(1);
    await write(1);
    expect(await verdict()).toMatchObject({ kind: 'whole', entries: 2 });
  });

  it.each([
    ['a changed entry', `update audit_entries set content = replace(content, 'Salesforce', 'Salesfarce') where seq = 3`, 3],
    ['a changed entry with a hash made to fit it', `update audit_entries set content = replace(content, 'Salesforce', 'Salesfarce'), hash = sha256(convert_to(replace(content, 'Salesforce', 'Salesfarce'), 'UTF8')) where seq = 3`, 3],
    ['one taken out', 'delete from audit_entries where seq = 2', 2],
    ['two that changed places', 'update audit_entries set seq = case seq when 2 then 1000 else seq end where seq in (2); update audit_entries set seq = 2 where seq = 3; update audit_entries set seq = 3 where seq = 1000', 2],
    ['the first ones taken away', 'delete from audit_entries where seq < 3', 1],
  ])('shows %s', async (_, tampering, seq) => {
    await write(5);
    expect(await verdict()).toMatchObject({ kind: 'whole', entries: 5 });
    await owner.query('begin');
    for (const statement of tampering.split('; ')) await owner.query(statement.replace(' where ', ` where organisation_id = '${organisationId}' and `));
    await owner.query('commit');
    expect(await verdict()).toMatchObject({ kind: 'broken', seq });
  });

  /** What the owner of the database can do: every hash computed again. */
  async function writeAnew(): Promise<void> {
    let hash = beginning;
    for (const { seq, content } of await all()) {
      const changed = content.replace('Salesforce', 'Salesfarce');
      hash = hashOf(hash, organisationId, seq, changed);
      await owner.query(`update audit_entries set content = $3, hash = decode($4, 'hex') where organisation_id = $1 and seq = $2`, [organisationId, seq, changed, hash]);
    }
  }

  it('with a head that was kept, shows a trail that was written anew or cut off; without one it cannot', async () => {
    await write(3);
    const kept = await verdict();
    if (kept.kind !== 'whole') throw new Error(kept.says);
    await write(2);
    expect(await verdict(kept.head)).toMatchObject({ kind: 'whole', entries: 5 });
    await owner.query('delete from audit_entries where organisation_id = $1 and seq > 2', [organisationId]);
    expect(await verdict()).toMatchObject({ kind: 'whole', entries: 2 });
    expect(await verdict(kept.head)).toMatchObject({ kind: 'broken', seq: 3, says: expect.stringContaining('cut off') });
    await write(3);
    await writeAnew();
    expect(await verdict()).toMatchObject({ kind: 'whole', entries: 5 });
    expect(await verdict(kept.head)).toMatchObject({ kind: 'broken', seq: 3, says: expect.stringContaining('written anew') });
  });

  it('takes a head in the form in which it was printed, and nothing else', async () => {
    const empty = await verdict();
    expect(parseHead(empty.kind === 'whole' ? empty.head : '')).toEqual({ seq: 0, hash: beginning });
    for (const text of ['', '3', `3:${'a'.repeat(63)}`, `-1:${'a'.repeat(64)}`, `3:${'g'.repeat(64)}`]) expect(parseHead(text)).toBeNull();
  });

  it('shows entries brought from another organisation', async () => {
    await write(2);
    const other = await organisation();
    await owner.query('insert into audit_entries select $2, seq, content, hash from audit_entries where organisation_id = $1', [organisationId, other]);
    organisationId = other;
    expect(await verdict()).toMatchObject({ kind: 'broken', seq: 1 });
  });

  it.each(['tenant', 'system'] as const)('cannot be changed by the application (%s)', async (pool) => {
    await write(1);
    for (const statement of ['update audit_entries set content = content', 'delete from audit_entries', 'truncate audit_entries']) await expect(database.databases[pool].query(statement)).rejects.toThrow('permission denied');
  });

  it('is seen by its own organisation only', async () => {
    await write(2);
    const other = await organisation();
    expect(await trail().list(other, { afterSeq: 0, limit: 10 })).toEqual([]);
    await expect(inTenant(database.databases, other, (client) => appendEntry(client, organisationId, entry('x')))).rejects.toThrow();
  });

  it('gives the newest first, page by page', async () => {
    await write(5);
    const first = await trail().newest(organisationId, { beforeSeq: null, limit: 2 });
    expect(first.map(({ seq }) => seq)).toEqual([5, 4]);
    expect((await trail().newest(organisationId, { beforeSeq: 4, limit: 10 })).map(({ seq }) => seq)).toEqual([3, 2, 1]);
  });
});

it('writes one text for one value', () => {
  expect(canonical({ b: [undefined, 1.5, 'ü'], a: { d: undefined, c: true } })).toBe('{"a":{"c":true},"b":[null,1.5,"ü"]}');
});
