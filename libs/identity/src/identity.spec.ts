import type { Client } from 'pg';
import { openDatabases } from '@trunkline/storage';
import type { Databases } from '@trunkline/storage';
import { openTestDatabase } from '@trunkline/storage/testing';
import type { TestDatabase } from '@trunkline/storage/testing';
import { createIdentity } from './identity.js';
import type { Identity } from './identity.js';

const minute = 60_000;
/** A database that stands still for a moment, with the machine, is none that hangs. */
const times = { waitMs: 20_000 };

describe('API keys', () => {
  let database: TestDatabase;
  let owner: Client;
  let nowMs: number;
  let identity: Identity;
  /** A database that comes and goes for the identity under test. */
  let away: boolean;
  let databases: Pick<Databases, 'system'>;
  const nowhere = openDatabases('postgres://postgres:x@127.0.0.1:1/none');

  beforeAll(async () => {
    database = await openTestDatabase();
    owner = await database.owner();
    databases = {
      get system() {
        return away ? nowhere.system : database.databases.system;
      },
    };
  }, 60_000);
  beforeEach(() => {
    away = false;
    nowMs = Date.now();
    identity = createIdentity({ databases, nowMs: () => nowMs, times });
  });
  afterAll(async () => {
    await nowhere.close();
    await database?.close();
  });

  const newKey = async (expiresAt?: Date) => {
    const { id } = await identity.createOrganisation({ name: 'Harbour City Council' });
    return { organisationId: id, ...(await identity.createApiKey({ organisationId: id, name: 'tests', scopes: ['events:publish'], expiresAt })) };
  };

  it('names the organisation, key and scopes of a key', async () => {
    const { organisationId, keyId, apiKey } = await newKey();
    expect(await identity.verifyApiKey(apiKey)).toMatchObject({ organisationId, keyId, scopes: ['events:publish'] });
  });

  it('keeps no key: only its hash and beginning are in the database', async () => {
    const { apiKey, prefix } = await newKey();
    expect(apiKey).toMatch(/^tl_[0-9a-f]{16}_[\w-]{43}$/);
    const { rows } = await owner.query<{ all: string }>(`select (select json_agg(k)::text from api_keys k) || (select json_agg(i)::text from api_key_index i) as all`);
    expect(rows[0]?.all).toContain(prefix);
    expect(rows[0]?.all).not.toContain(apiKey.slice(prefix.length + 1));
  });

  it.each([
    ['nothing', () => ''],
    ['something else', () => 'Bearer hunter2'],
    ['an unknown id', (key: string) => key.replace(/_[0-9a-f]{16}_/, '_0000000000000000_')],
    ['a wrong secret', (key: string) => `${key.slice(0, -2)}${key.endsWith('AA') ? 'BB' : 'AA'}`],
  ])('answers 401 to %s', async (_, changed) => {
    const { apiKey } = await newKey();
    await expect(identity.verifyApiKey(changed(apiKey))).rejects.toMatchObject({ code: 'identity.unauthenticated', definition: { http: 401 } });
  });

  it('answers 401 to a key that has expired, also when it is remembered', async () => {
    const { apiKey } = await newKey(new Date(nowMs + 1_000));
    await identity.verifyApiKey(apiKey);
    nowMs += 1_000;
    await expect(identity.verifyApiKey(apiKey)).rejects.toMatchObject({ code: 'identity.unauthenticated' });
  });

  it('answers 401 to a revoked key: here at once, elsewhere after 30 s', async () => {
    const { organisationId, keyId, apiKey } = await newKey();
    const elsewhere = createIdentity({ databases, nowMs: () => nowMs, times });
    await elsewhere.verifyApiKey(apiKey);
    await identity.revokeApiKey({ organisationId, keyId });
    await expect(identity.verifyApiKey(apiKey)).rejects.toMatchObject({ code: 'identity.unauthenticated' });
    await expect(elsewhere.verifyApiKey(apiKey)).resolves.toMatchObject({ keyId });
    nowMs += 30_000;
    await expect(elsewhere.verifyApiKey(apiKey)).rejects.toMatchObject({ code: 'identity.unauthenticated' });
  });

  it('does not revoke a key of another organisation', async () => {
    const { keyId, apiKey } = await newKey();
    const { organisationId: foreign } = await newKey();
    await expect(identity.revokeApiKey({ organisationId: foreign, keyId })).rejects.toMatchObject({ code: 'identity.key_missing' });
    await expect(identity.verifyApiKey(apiKey)).resolves.toMatchObject({ keyId });
  });

  it('asks the database once for many callers', async () => {
    const { apiKey } = await newKey();
    const asked = jest.spyOn(database.databases.system, 'query');
    await Promise.all(Array.from({ length: 50 }, () => identity.verifyApiKey(apiKey)));
    expect(asked).toHaveBeenCalledTimes(1);
    asked.mockRestore();
  });

  describe('while the database is away', () => {
    it('accepts a key it remembers for 15 minutes and then answers 503', async () => {
      const { apiKey, keyId } = await newKey();
      await identity.verifyApiKey(apiKey);
      away = true;
      nowMs += 15 * minute - 1;
      await expect(identity.verifyApiKey(apiKey)).resolves.toMatchObject({ keyId });
      nowMs += 1;
      await expect(identity.verifyApiKey(apiKey)).rejects.toMatchObject({ code: 'identity.unavailable', definition: { http: 503 } });
    });

    it('answers 503, not 401, to a key it does not remember', async () => {
      const { apiKey, keyId } = await newKey();
      away = true;
      await expect(identity.verifyApiKey(apiKey)).rejects.toMatchObject({ code: 'identity.unavailable' });
      away = false;
      nowMs += 1_000;
      await expect(identity.verifyApiKey(apiKey)).resolves.toMatchObject({ keyId });
    });

    it('still answers 401 to a wrong secret of a key it remembers', async () => {
      const { apiKey } = await newKey();
      await identity.verifyApiKey(apiKey);
      away = true;
      nowMs += minute;
      await expect(identity.verifyApiKey(`${apiKey.slice(0, -2)}zz`)).rejects.toMatchObject({ code: 'identity.unauthenticated' });
    });

    it('does not wait for a database that hangs', async () => {
      const { apiKey } = await newKey();
      const blocker = await database.owner();
      await blocker.query('begin; lock table api_key_index in access exclusive mode');
      const hurried = createIdentity({ databases, nowMs: () => nowMs, times: { waitMs: 50 } });
      await expect(hurried.verifyApiKey(apiKey)).rejects.toMatchObject({ code: 'identity.unavailable' });
      await blocker.query('rollback');
      await blocker.end();
    });
  });

  it('creates an organisation of a given id once', async () => {
    const { id } = await identity.createOrganisation({ name: 'First' });
    await identity.createOrganisation({ name: 'Second', id });
    expect((await owner.query('select name from organisations where id = $1', [id])).rows).toEqual([{ name: 'First' }]);
  });
});
