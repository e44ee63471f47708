import { randomUUID } from 'node:crypto';
import { createPeople, permissionsOfRole } from '@trunkline/identity';
import { openDatabases } from '@trunkline/storage';
import { type SentHeaders, type TestAnswer, type TestGateway, startTestGateway } from '../testing/test-gateway.js';

jest.setTimeout(120_000);

const password = 'correct horse battery staple';

describe('people over HTTP', () => {
  let gateway: TestGateway;

  beforeAll(async () => {
    gateway = await startTestGateway();
  }, 120_000);
  afterAll(() => gateway.close());
  afterEach(() => expect(gateway.bugs).toEqual([]));

  const send = (method: string, path: string, body?: unknown, headers: SentHeaders = {}): Promise<TestAnswer> => gateway.send(method, path, body, { authorization: undefined, ...headers });
  const cookieOf = (answer: TestAnswer): string => answer.headers.getSetCookie().find((cookie) => cookie.includes('trunkline_session='))?.split(';')[0] ?? '';
  const as = (answer: TestAnswer): SentHeaders => ({ cookie: cookieOf(answer), 'x-csrf-token': String(answer.body['csrf_token']) });
  const unique = (): string => `${randomUUID()}@example.org`;
  const owner = async (): Promise<SentHeaders> => as(await invited('owner'));

  /** Invited as the operator would: by somebody who is owner already. */
  async function invited(role: string, email = unique()): Promise<TestAnswer> {
    const actor = { kind: 'user', userId: randomUUID(), sessionId: randomUUID(), organisationId: gateway.organisationId, address: '', permissions: permissionsOfRole.owner } as const;
    const { token } = await gateway.people.invitations.invite(actor, { email, role: role as 'owner' });
    return send('POST', '/api/invitations/accept', { token, name: 'Somebody', password });
  }

  it('lets the first owner in by the set-up token, and nobody after', async () => {
    const token = await gateway.people.setup.offer();
    const body = { token, organisation: 'New council', name: 'First', email: unique(), password };
    expect((await send('POST', '/api/setup', { ...body, organisation: undefined })).status).toBe(400);
    const made = await send('POST', '/api/setup', body);
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({ role: 'owner', organisation: { name: 'New council', plan: 'enterprise' } });
    expect((await send('GET', '/api/session', undefined, as(made))).body).toMatchObject({ role: 'owner' });
    expect((await send('POST', '/api/setup', body)).body).toMatchObject({ status: 403, code: 'identity.setup_closed' });
  });

  it('signs in and out; the cookie is HttpOnly, SameSite and new each time', async () => {
    const email = unique();
    const accepted = await invited('viewer', email);
    const first = await send('POST', '/api/session', { email, password }, { cookie: cookieOf(accepted) });
    expect(first.headers.getSetCookie()).toEqual([expect.stringMatching(/^trunkline_session=ts_[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/)]);
    expect(cookieOf(first)).not.toBe(cookieOf(accepted));
    expect((await send('GET', '/api/session', undefined, { cookie: cookieOf(accepted) })).status).toBe(401);
    expect((await send('GET', '/api/runs', undefined, { cookie: cookieOf(first) })).status).toBe(200);
    const out = await send('DELETE', '/api/session', undefined, as(first));
    expect([out.status, out.headers.getSetCookie()]).toEqual([204, [expect.stringContaining('Max-Age=0')]]);
    expect((await send('GET', '/api/runs', undefined, { cookie: cookieOf(first) })).body).toMatchObject({ status: 401, code: 'identity.session_missing' });
  });

  it('takes no planted session: a token that the server did not make signs nobody in', async () => {
    const planted = `trunkline_session=ts_${'A'.repeat(43)}`;
    const email = unique();
    await invited('viewer', email);
    const signedIn = await send('POST', '/api/session', { email, password }, { cookie: planted });
    expect(cookieOf(signedIn)).not.toBe(planted);
    expect((await send('GET', '/api/session', undefined, { cookie: planted })).status).toBe(401);
    expect((await send('GET', '/api/session', undefined, { cookie: `${cookieOf(signedIn)}; ${planted}` })).status).toBe(401);
  });

  it('answers an unknown account as it answers a wrong password', async () => {
    const email = unique();
    await invited('viewer', email);
    const wrong = await send('POST', '/api/session', { email, password: 'wrong wrong wrong' });
    const unknown = await send('POST', '/api/session', { email: unique(), password });
    expect({ ...wrong.body, request_id: null }).toEqual({ ...unknown.body, request_id: null });
    expect(wrong.status).toBe(401);
  });

  it('says how long to wait after too many failures', async () => {
    const email = unique();
    for (let turn = 0; turn < 6; turn += 1) await send('POST', '/api/session', { email, password: 'wrong wrong wrong' });
    const answer = await send('POST', '/api/session', { email, password });
    expect(answer.body).toMatchObject({ status: 429, code: 'identity.sign_in_throttled' });
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(1);
  });

  it('signs nobody in from a page of another site', async () => {
    const email = unique();
    await invited('viewer', email);
    for (const headers of [{ origin: 'https://evil.example' }, { 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }, { origin: 'null' }]) {
      expect((await send('POST', '/api/session', { email, password }, headers)).body).toMatchObject({ status: 403, code: 'request.forgery_suspected' });
    }
    expect((await send('POST', '/api/session', { email, password }, { origin: gateway.url, 'sec-fetch-site': 'same-origin' })).status).toBe(200);
  });

  it('ends other sessions when the password changes, and gives this one a new token', async () => {
    const email = unique();
    const one = await invited('viewer', email);
    const two = await send('POST', '/api/session', { email, password });
    expect((await send('GET', '/api/session/all', undefined, as(two))).body['sessions']).toHaveLength(2);
    expect((await send('PUT', '/api/session/password', { current_password: 'wrong wrong wrong', new_password: 'a new and longer one' }, as(two))).body).toMatchObject({ status: 422, code: 'identity.password_unfit' });
    const changed = await send('PUT', '/api/session/password', { current_password: password, new_password: 'a new and longer one' }, as(two));
    expect(changed.status).toBe(200);
    for (const old of [one, two]) expect((await send('GET', '/api/session', undefined, { cookie: cookieOf(old) })).status).toBe(401);
    expect((await send('POST', '/api/session', { email, password: 'a new and longer one' })).status).toBe(200);
  });

  it('an owner invites, changes a role and removes; an admin makes no owner', async () => {
    const headers = await owner();
    const asked = await send('POST', '/api/invitations', { email: unique(), role: 'admin' }, headers);
    const admin = await send('POST', '/api/invitations/accept', { token: asked.body['token'], name: 'Admin', password });
    expect(admin.body).toMatchObject({ role: 'admin', organisation: { id: gateway.organisationId } });
    expect((await send('POST', '/api/invitations', { email: unique(), role: 'owner' }, as(admin))).body).toMatchObject({ status: 403, code: 'identity.not_yours_to_give' });
    const id = String((admin.body['user'] as { id: string }).id);
    expect((await send('PUT', `/api/people/${id}`, { role: 'viewer' }, headers)).body).toMatchObject({ role: 'viewer' });
    expect((await send('POST', '/api/invitations', { email: unique(), role: 'viewer' }, as(admin))).body).toMatchObject({ status: 403, code: 'request.scope_missing' });
    expect((await send('DELETE', `/api/people/${id}`, undefined, headers)).status).toBe(204);
    expect((await send('GET', '/api/runs', undefined, as(admin))).status).toBe(403);
    expect((await send('GET', '/api/session', undefined, as(admin))).body).toMatchObject({ organisation: null, role: null });
  });

  it('who is removed keeps no power through a key, and the trail names what was revoked', async () => {
    const headers = await owner();
    const admin = await invited('admin');
    const id = String((admin.body['user'] as { id: string }).id);
    const key = await send('POST', '/api/keys', { name: 'mine', scopes: ['admin'] }, as(admin));
    const reading = await send('POST', '/api/keys', { name: 'looks', scopes: ['read'] }, as(admin));
    const answerTo = (made: TestAnswer) => gateway.send('GET', '/api/runs', undefined, { authorization: `Bearer ${String(made.body['api_key'])}` }).then(({ status }) => status);
    expect([await answerTo(key), await answerTo(reading)]).toEqual([200, 200]);
    const changed = await send('PUT', `/api/people/${id.toUpperCase()}`, { role: 'viewer' }, headers);
    expect(changed.body).toMatchObject({ id, role: 'viewer', revoked_keys: [key.body['id']] });
    const newest = async () => ((await gateway.send('GET', '/api/audit?limit=1')).body['entries'] as readonly unknown[])[0];
    expect(await newest()).toMatchObject({ action: 'people:manage', before: { id, role: 'admin' }, after: { role: 'viewer', revoked_keys: [key.body['id']] } });
    expect([await answerTo(key), await answerTo(reading)]).toEqual([401, 200]);
    expect((await send('DELETE', `/api/people/${id.toUpperCase()}`, undefined, headers)).status).toBe(204);
    expect(await newest()).toMatchObject({ before: { id, role: 'viewer' }, after: { revoked_keys: [reading.body['id']] } });
    expect(await answerTo(reading)).toBe(401);
  });

  it('who is removed leaves no open invitation behind, and the trail names what was withdrawn', async () => {
    const headers = await owner();
    const admin = await invited('admin');
    const id = String((admin.body['user'] as { id: string }).id);
    const asked = await send('POST', '/api/invitations', { email: unique(), role: 'admin' }, as(admin));
    expect((await send('DELETE', `/api/people/${id}`, undefined, headers)).status).toBe(204);
    expect(((await gateway.send('GET', '/api/audit?limit=1')).body['entries'] as readonly unknown[])[0]).toMatchObject({ action: 'people:manage', before: { id }, after: { withdrawn_invitations: [asked.body['id']] } });
    expect((await send('POST', '/api/invitations/accept', { token: asked.body['token'], name: 'Late', password })).body).toMatchObject({ status: 404, code: 'identity.invitation_closed' });
  });

  it('a key that is revoked leaves no open invitation behind, and the trail names what was withdrawn', async () => {
    const headers = await owner();
    const key = await send('POST', '/api/keys', { name: 'sends', scopes: ['admin'] }, headers);
    const asked = await gateway.send('POST', '/api/invitations', { email: unique(), role: 'viewer' }, { authorization: `Bearer ${String(key.body['api_key'])}` });
    expect(asked.status).toBe(201);
    expect((await send('DELETE', `/api/keys/${String(key.body['id'])}`, undefined, headers)).status).toBe(204);
    expect(((await gateway.send('GET', '/api/audit?limit=1')).body['entries'] as readonly unknown[])[0]).toMatchObject({ action: 'keys:manage', before: { id: key.body['id'] }, after: { withdrawn_invitations: [asked.body['id']] } });
    expect((await send('POST', '/api/invitations/accept', { token: asked.body['token'], name: 'Late', password })).body).toMatchObject({ status: 404, code: 'identity.invitation_closed' });
  });

  it('takes nothing away that may more than who asks', async () => {
    const headers = await owner();
    const wide = await send('POST', '/api/keys', { name: 'wide', scopes: ['read', 'keys:manage'] }, headers);
    const narrow = { authorization: `Bearer ${await gateway.newKey(['keys:manage'])}` };
    expect((await gateway.send('DELETE', `/api/keys/${String(wide.body['id'])}`, undefined, narrow)).body).toMatchObject({ status: 403, code: 'identity.above_you' });
    expect((await gateway.send('GET', '/api/runs', undefined, { authorization: `Bearer ${String(wide.body['api_key'])}` })).status).toBe(200);
    const asked = await send('POST', '/api/invitations', { email: unique(), role: 'owner' }, headers);
    const admin = await invited('admin');
    expect((await send('DELETE', `/api/invitations/${String(asked.body['id'])}`, undefined, as(admin))).body).toMatchObject({ status: 403, code: 'identity.above_you' });
    expect((await send('DELETE', `/api/invitations/${String(asked.body['id'])}`, undefined, headers)).status).toBe(204);
    expect((await send('DELETE', `/api/keys/${String(wide.body['id'])}`, undefined, as(admin))).status).toBe(204);
  });

  it('makes no key that makes owners, not for an owner either', async () => {
    expect((await send('POST', '/api/keys', { name: 'deputy', scopes: ['owners:manage'] }, await owner())).body).toMatchObject({ status: 400, code: 'identity.scope_unknown' });
  });

  it('shows a key once, and makes none that may more than who makes it', async () => {
    const headers = await owner();
    const made = await send('POST', '/api/keys', { name: 'website', scopes: ['publish', 'keys:manage'], expires_at: new Date(Date.now() + 60_000).toISOString() }, headers);
    expect(made.status).toBe(201);
    const key = String(made.body['api_key']);
    const listed = await send('GET', '/api/keys', undefined, headers);
    expect(listed.text).toContain(String(made.body['id']));
    expect(listed.text).not.toContain(key);
    expect((await gateway.send('POST', '/api/keys', { name: 'more', scopes: ['admin'] }, { authorization: `Bearer ${key}` })).body).toMatchObject({ status: 403, code: 'identity.not_yours_to_give' });
    const rotated = await send('POST', `/api/keys/${String(made.body['id'])}/rotate`, { overlap_seconds: 60 }, headers);
    expect(rotated.status).toBe(201);
    for (const accepted of [key, String(rotated.body['api_key'])]) expect((await gateway.send('POST', '/api/keys', { name: 'x', scopes: ['publish'] }, { authorization: `Bearer ${accepted}` })).status).toBe(201);
    expect((await send('DELETE', `/api/keys/${String(made.body['id'])}`, undefined, headers)).status).toBe(204);
    expect((await gateway.send('GET', '/api/runs', undefined, { authorization: `Bearer ${key}` })).status).toBe(401);
  });

  it('tells one place of every effect: who, what, on what, how it ended', async () => {
    const headers = await owner();
    gateway.effects.length = 0;
    await send('GET', '/api/people', undefined, headers);
    const asked = await send('POST', '/api/invitations', { email: unique(), role: 'viewer' }, headers);
    await send('DELETE', `/api/invitations/${String(asked.body['id'])}`, undefined, headers);
    await gateway.send('POST', `/api/runs/${randomUUID()}/cancel`, {});
    expect(gateway.effects).toMatchObject([
      { actor: { kind: 'user', organisationId: gateway.organisationId, address: expect.any(String) }, permission: 'people:manage', route: 'POST /api/invitations', outcome: 'done' },
      { permission: 'people:manage', route: 'DELETE /api/invitations/:id', parameters: { id: asked.body['id'] }, outcome: 'done' },
      { actor: { kind: 'key', keyId: expect.any(String) }, permission: 'runs:cancel', route: 'POST /api/runs/:id/cancel', outcome: 'request.not_found' },
    ]);
  });

  it('takes no role, organisation or id from a body', async () => {
    const token = String((await send('POST', '/api/invitations', { email: unique(), role: 'viewer' }, await owner())).body['token']);
    for (const field of ['role', 'organisation_id', 'user_id', 'permissions', 'plan']) expect((await send('POST', '/api/invitations/accept', { token, name: 'x', password, [field]: 'owner' })).body).toMatchObject({ status: 400, code: 'request.invalid', detail: expect.stringContaining(`${field} may not be sent`) });
  });
});

describe('while the database is away', () => {
  it('says so to who is signed in or signs in, and does not take the session for ended', async () => {
    const nowhere = openDatabases('postgres://postgres:x@127.0.0.1:1/none', { connectTimeoutMs: 500 });
    const gateway = await startTestGateway({ people: createPeople({ databases: nowhere }) });
    try {
      const cookie = `trunkline_session=ts_${'A'.repeat(43)}`;
      for (const answer of [await gateway.send('GET', '/api/session', undefined, { authorization: undefined, cookie }), await gateway.send('POST', '/api/session', { email: 'a@example.org', password }, { authorization: undefined })]) {
        expect(answer.body).toMatchObject({ status: 503, code: 'gateway.database_unavailable' });
        expect(answer.headers.get('retry-after')).not.toBeNull();
      }
      expect(gateway.bugs).toEqual([]);
    } finally {
      await gateway.close();
      await nowhere.close();
    }
  }, 180_000);
});

describe('over https', () => {
  it('sends its cookies Secure and bound to the host, and knows its own pages by their address', async () => {
    const gateway = await startTestGateway({ publicUrl: 'https://trunkline.example.org' });
    try {
      const token = await gateway.people.setup.offer();
      const body = { token, organisation: 'New council', name: 'First', email: 'first@example.org', password };
      expect((await gateway.send('POST', '/api/setup', body, { authorization: undefined, origin: gateway.url })).status).toBe(403);
      const made = await gateway.send('POST', '/api/setup', body, { authorization: undefined, origin: 'https://trunkline.example.org' });
      expect(made.headers.getSetCookie()).toEqual([expect.stringMatching(/^__Host-trunkline_session=ts_[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Secure$/)]);
    } finally {
      await gateway.close();
    }
  }, 180_000);
});
