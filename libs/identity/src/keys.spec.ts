import { openTestDatabase, type TestDatabase } from '@trunkline/storage/testing';
import { createIdentity, type Identity } from './identity.js';
import { planOf, plans } from './plan/plan.js';
import { permissionNames } from './access/permission.js';
import { permissionsOfRole, roles } from './access/role.js';
import { permissionsOfScopes, scopeGroups } from './access/scope.js';

describe('keys over their life', () => {
  let database: TestDatabase;
  let identity: Identity;
  let nowMs: number;
  let organisationId: string;

  beforeAll(async () => {
    database = await openTestDatabase();
  }, 60_000);
  afterAll(() => database.close());
  beforeEach(async () => {
    nowMs = Date.now();
    identity = createIdentity({ databases: database.databases, nowMs: () => nowMs, times: { waitMs: 20_000 } });
    ({ id: organisationId } = await identity.createOrganisation({ name: 'Harbour City Council' }));
  });

  it('are rotated with an overlap, in which both are accepted', async () => {
    const old = await identity.createApiKey({ organisationId, name: 'website', scopes: ['publish'], by: 'user:1' });
    const fresh = await identity.rotateApiKey({ organisationId, keyId: old.keyId, overlapMs: 60_000, by: 'user:2' });
    await expect(identity.verifyApiKey(old.apiKey)).resolves.toMatchObject({ keyId: old.keyId });
    await expect(identity.verifyApiKey(fresh.apiKey)).resolves.toMatchObject({ keyId: fresh.keyId, scopes: ['publish'] });
    nowMs += 60_000;
    await expect(identity.verifyApiKey(old.apiKey)).rejects.toMatchObject({ code: 'identity.unauthenticated' });
    await expect(identity.verifyApiKey(fresh.apiKey)).resolves.toMatchObject({ keyId: fresh.keyId });
    expect(await identity.listApiKeys(organisationId)).toMatchObject([{ keyId: old.keyId, name: 'website', createdBy: 'user:1' }, { keyId: fresh.keyId, name: 'website', createdBy: 'user:2', replaces: old.keyId }]);
  });

  it('are not rotated once revoked, nor by another organisation', async () => {
    const { keyId } = await identity.createApiKey({ organisationId, name: 'website', scopes: ['publish'] });
    const { id: foreign } = await identity.createOrganisation({ name: 'Elsewhere' });
    await expect(identity.rotateApiKey({ organisationId: foreign, keyId, overlapMs: 0 })).rejects.toMatchObject({ code: 'identity.key_missing' });
    await identity.revokeApiKey({ organisationId, keyId });
    await expect(identity.rotateApiKey({ organisationId, keyId, overlapMs: 0 })).rejects.toMatchObject({ code: 'identity.key_missing' });
  });

  it('write down their use once in a while, not with each request', async () => {
    const { keyId, apiKey } = await identity.createApiKey({ organisationId, name: 'website', scopes: ['publish'] });
    await identity.verifyApiKey(apiKey);
    const [first] = await identity.listApiKeys(organisationId);
    expect(first).toMatchObject({ keyId, lastUsedAt: expect.any(Date) });
    const asked = jest.spyOn(database.databases.system, 'connect');
    for (let request = 0; request < 100; request += 1) await identity.verifyApiKey(apiKey);
    expect(identity.recallApiKey(apiKey)).toMatchObject({ keyId });
    expect(asked).not.toHaveBeenCalled();
    asked.mockRestore();
    nowMs += 31_000;
    await identity.verifyApiKey(apiKey);
    expect((await identity.listApiKeys(organisationId))[0]?.lastUsedAt).toEqual(first?.lastUsedAt);
  });

  it('are recalled only with their secret, and not once they have expired', async () => {
    const { apiKey } = await identity.createApiKey({ organisationId, name: 'website', scopes: ['publish'], expiresAt: new Date(nowMs + 10_000) });
    expect(identity.recallApiKey(apiKey)).toBeNull();
    await identity.verifyApiKey(apiKey);
    expect(identity.recallApiKey(`${apiKey.slice(0, -2)}${apiKey.endsWith('AA') ? 'BB' : 'AA'}`)).toBeNull();
    nowMs += 10_000;
    expect(identity.recallApiKey(apiKey)).toBeNull();
  });

  it('are refused a scope nobody knows, and the making of owners', async () => {
    for (const scope of ['everything', 'owners:manage']) await expect(identity.createApiKey({ organisationId, name: 'website', scopes: [scope] })).rejects.toMatchObject({ code: 'identity.scope_unknown' });
  });

  it('no plan is given to an organisation that is not there', async () => {
    await expect(identity.givePlan({ organisationId: crypto.randomUUID(), plan: 'scale' })).rejects.toMatchObject({ code: 'identity.organisation_missing' });
  });

  it('carry the plan of their organisation, with what its contract changes', async () => {
    const { apiKey } = await identity.createApiKey({ organisationId, name: 'website', scopes: ['publish'] });
    expect((await identity.verifyApiKey(apiKey)).plan).toEqual({ name: 'enterprise', limits: plans.enterprise });
    await identity.givePlan({ organisationId, plan: 'starter', overrides: { integrations: 2, eventsPerMinute: null } });
    nowMs += 31_000;
    expect((await identity.verifyApiKey(apiKey)).plan).toEqual({ name: 'starter', limits: { ...plans.starter, integrations: 2, eventsPerMinute: null } });
  });
});

describe('what roles and scopes give', () => {
  it('is all permissions together, to the owner', () => expect([...permissionsOfRole.owner]).toEqual(permissionNames));

  it('is never the right to an effect for who only looks', () => {
    for (const role of ['viewer', 'planner', 'staff'] as const) expect([...permissionsOfRole[role]].filter((name) => !name.endsWith(':read'))).toEqual([]);
    expect(scopeGroups['read']?.filter((name) => !name.endsWith(':read'))).toEqual([]);
  });

  it('is nothing for a scope of another version', () => expect(permissionsOfScopes(['moon:land', 'constructor'])).toEqual(new Set()));

  it('gives the making of owners to owners alone', () => {
    expect(roles.filter((role) => permissionsOfRole[role].has('owners:manage'))).toEqual(['owner']);
    expect(permissionsOfScopes(['admin', 'execute', 'read', 'publish', 'owners:manage']).has('owners:manage')).toBe(false);
  });

  it('passes over what a contract may not say', () => {
    expect(planOf('starter', { integrations: null, retentionDays: -1, colour: 'red', eventsPerMinute: 'many' })).toEqual({ name: 'starter', limits: plans.starter });
  });
});
