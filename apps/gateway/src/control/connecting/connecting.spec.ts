import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { json } from 'node:stream/consumers';
import { simulatorFor } from '@trunkline/connectors/testing';
import { inTenant } from '@trunkline/storage';
import type { Headers } from '../../testing/matrix-world.js';
import { type TestAnswer, type TestGateway, startTestGateway } from '../../testing/test-gateway.js';

jest.setTimeout(120_000);

const anew = { client_id: 'id', client_secret: 'secret' } as const;
const bare = { authorization: undefined } as const;

describe('connecting by signing in at the provider', () => {
  let gateway: TestGateway;
  let salesforce: { readonly url: string; stop(): Promise<void> };
  let owner: { readonly headers: Headers; readonly userId: string };

  beforeAll(async () => {
    gateway = await startTestGateway();
    salesforce = await simulatorFor({ provider: 'salesforce' });
    owner = await person('owner', gateway.organisationId);
  }, 120_000);
  afterAll(async () => {
    await salesforce?.stop();
    await gateway?.close();
  });
  beforeEach(() => control('PUT', 'settings', { options: { consent: 'granted', sendsIssuer: false, instanceUrl: null } }));
  afterEach(() => expect(gateway.bugs).toEqual([]));

  async function control(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
    const answer = await fetch(`${salesforce.url}/_control/${path}`, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    return (await answer.json()) as Record<string, unknown>;
  }

  async function person(role: string, organisationId: string): Promise<{ readonly headers: Headers; readonly userId: string }> {
    const email = `${role}-${randomUUID()}@example.org`;
    const account = await gateway.people.accounts.create({ email, name: role, password: null });
    const userId = account?.id ?? '';
    await inTenant(gateway.database.databases, organisationId, (client) => client.query('insert into memberships (organisation_id, user_id, role, email, name) values ($1, $2, $3, $4, $3)', [organisationId, userId, role, email]));
    await gateway.people.accounts.belongsTo(userId, organisationId);
    return { headers: await session(userId), userId };
  }
  async function session(userId: string): Promise<Headers> {
    const cookie = `trunkline_session=${await gateway.people.sessions.open(userId, 'password', { address: '127.0.0.1', browser: 'spec' })}`;
    const shown = await gateway.send('GET', '/api/session', undefined, { ...bare, cookie });
    return { ...bare, cookie, 'x-csrf-token': String(shown.body['csrf_token']) };
  }

  async function integration(provider = 'salesforce', settings: object = { instance_url: salesforce.url }): Promise<string> {
    const made = await gateway.send('POST', `/api/integrations/org/${gateway.organisationId}`, { provider, name: 'CRM', settings, credentials: { client_id: 'id', client_secret: 'secret' } });
    return String(made.body['id']);
  }
  async function begin(id: string, headers: Headers = owner.headers): Promise<URL> {
    const begun = await gateway.send('POST', `/api/integrations/${id}/connect`, {}, headers);
    expect(begun.status).toBe(200);
    return new URL(String(begun.body['authorization_url']));
  }
  /** A browser at the provider: says yes and is sent back. The answer is the path that it asks us for. */
  async function atProvider(url: URL): Promise<URL> {
    const sent = await fetch(url, { redirect: 'manual' });
    return new URL(sent.headers.get('location') ?? '');
  }
  const comeBack = (to: URL, headers: Headers = owner.headers): Promise<TestAnswer> => gateway.send('GET', to.pathname + to.search, undefined, { ...headers, 'x-csrf-token': undefined });
  const authorizationOf = async (id: string): Promise<unknown> => (await gateway.send('GET', `/api/integrations/${id}`)).body['authorization'];
  async function connected(id: string): Promise<void> {
    expect((await comeBack(await atProvider(await begin(id)))).status).toBe(200);
  }

  it('sends the person with PKCE and a state, and keeps what comes back', async () => {
    const id = await integration();
    const url = await begin(id);
    expect(url.origin + url.pathname).toBe(`${salesforce.url}/services/oauth2/authorize`);
    expect(Object.fromEntries(url.searchParams)).toMatchObject({ response_type: 'code', client_id: 'id', scope: 'api refresh_token', code_challenge_method: 'S256', redirect_uri: `${gateway.url}/oauth/callback/salesforce` });
    expect(url.searchParams.get('code_challenge')).toMatch(/^[A-Za-z0-9_-]{43}$/);
    const page = await comeBack(await atProvider(url));
    expect([page.status, page.text]).toEqual([200, expect.stringContaining('Salesforce is connected')]);
    expect(page.headers.get('content-security-policy')).toBe("default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    const view = (await gateway.send('GET', `/api/integrations/${id}`)).body;
    expect(view).toMatchObject({ settings: { sign_in: 'authorization_code' }, version: 2, authorization: { state: 'connected', reason: null, connected_by: `user:${owner.userId}` } });
    expect((await gateway.send('POST', `/api/integrations/${id}/test`, {})).body).toMatchObject({ ok: true });
    expect(gateway.effects.at(-2)).toMatchObject({ permission: 'integrations:connect', route: 'GET /oauth/callback/:provider', parameters: { id }, outcome: 'done' });
  });

  it('does the same at every provider whose template says that people sign in there', async () => {
    const { templates } = (await gateway.send('GET', '/api/integrations/templates')).body as { templates: readonly { provider: string; connect: { callback: string } | null }[] };
    expect(templates.map(({ provider, connect }) => [provider, connect?.callback ?? null])).toEqual([['genesys', '/oauth/callback/genesys'], ['salesforce', '/oauth/callback/salesforce'], ['techone', null]]);
    const genesys = await simulatorFor({ provider: 'genesys' });
    const id = await integration('genesys', { api_url: genesys.url, login_url: genesys.url });
    const page = await comeBack(await atProvider(await begin(id)));
    expect([page.status, page.text]).toEqual([200, expect.stringContaining('Genesys Cloud is connected')]);
    expect((await gateway.send('POST', `/api/integrations/${id}/test`, {})).body).toMatchObject({ ok: true });
    expect((await gateway.send('POST', `/api/integrations/${id}/disconnect`, {})).body).toMatchObject({ revoked_at_provider: false, authorization: { state: 'disconnected' } });
    await genesys.stop();
  });

  describe('takes an answer', () => {
    it('once', async () => {
      const back = await atProvider(await begin(await integration()));
      expect((await comeBack(back)).status).toBe(200);
      expect(await comeBack(back)).toMatchObject({ status: 400, text: expect.stringContaining('oauth.sign_in_unknown') as unknown });
    });

    it('within ten minutes', async () => {
      const back = await atProvider(await begin(await integration()));
      await inTenant(gateway.database.databases, gateway.organisationId, (client) => client.query(`update sign_ins set expires_at = expires_at - interval '10 minutes'`));
      expect((await comeBack(back)).text).toContain('oauth.sign_in_unknown');
    });

    it('in the session that began, and from nobody else', async () => {
      const colleague = await person('admin', gateway.organisationId);
      const { id: elsewhere } = await gateway.identity.createOrganisation({ name: 'Elsewhere' });
      const stranger = await person('owner', elsewhere);
      for (const headers of [colleague.headers, stranger.headers, await session(owner.userId), bare]) {
        const id = await integration();
        expect(await comeBack(await atProvider(await begin(id)), headers)).toMatchObject({ status: 403, text: expect.stringContaining('oauth.sign_in_of_another') as unknown });
        expect(await authorizationOf(id)).toBeNull();
      }
    });

    it('from who may still connect', async () => {
      const { headers, userId } = await person('admin', gateway.organisationId);
      const back = await atProvider(await begin(await integration(), headers));
      await inTenant(gateway.database.databases, gateway.organisationId, (client) => client.query(`update memberships set role = 'viewer' where user_id = $1`, [userId]));
      expect((await comeBack(back, headers)).text).toContain('you may no longer connect');
    });

    it('at the path of its own provider', async () => {
      const back = await atProvider(await begin(await integration()));
      back.pathname = '/oauth/callback/genesys';
      expect((await comeBack(back)).status).toBe(400);
    });

    it('of its own sign-in: a code from another one fails its verifier', async () => {
      const [mine, injected] = [await atProvider(await begin(await integration())), await atProvider(await begin(await integration()))];
      mine.searchParams.set('code', injected.searchParams.get('code') ?? '');
      expect(await comeBack(mine)).toMatchObject({ status: 400, text: expect.stringContaining('invalid_grant') as unknown });
    });

    it('with a state of ours', async () => {
      for (const state of [null, 'x', `${gateway.organisationId.replaceAll('-', '')}.${'A'.repeat(43)}`]) {
        const back = await atProvider(await begin(await integration()));
        if (state === null) back.searchParams.delete('state');
        else back.searchParams.set('state', state);
        expect((await comeBack(back)).status).toBe(400);
      }
      const twice = await atProvider(await begin(await integration()));
      twice.searchParams.append('state', 'another');
      expect((await comeBack(twice)).status).toBe(400);
    });

    it('of the issuer that was asked (RFC 9207)', async () => {
      await control('PUT', 'settings', { options: { sendsIssuer: true } });
      await connected(await integration());
      const back = await atProvider(await begin(await integration()));
      back.searchParams.set('iss', 'https://evil.example');
      expect(await comeBack(back)).toMatchObject({ status: 400, text: expect.stringContaining('oauth.refused') as unknown });
    });

    it('only for the integration as it was when the sign-in began', async () => {
      const id = await integration();
      const back = await atProvider(await begin(id));
      expect((await gateway.send('PUT', `/api/integrations/${id}`, { settings: { instance_url: 'https://evil.example' }, credentials: anew }, { 'if-match': '"1"' })).status).toBe(200);
      expect(await comeBack(back)).toMatchObject({ status: 409, text: expect.stringContaining('oauth.integration_changed') as unknown });
      expect(await authorizationOf(id)).toBeNull();
    });
  });

  it('shows what the provider says when it says no, as text', async () => {
    const id = await integration();
    await control('PUT', 'settings', { options: { consent: 'denied' } });
    const back = await atProvider(await begin(id));
    back.searchParams.set('error_description', '<script>alert(1)</script>');
    const page = await comeBack(back);
    expect(page.status).toBe(400);
    expect(page.text).toContain('access_denied: &lt;script&gt;alert(1)&lt;/script&gt;');
    expect(gateway.effects.at(-1)).toMatchObject({ outcome: 'oauth.refused' });
  });

  it.each(['https://evil.example', 'http://acme.my.salesforce.com', 'https://my.salesforce.com.evil.example', 'https://evil-my.salesforce.com.example', 'https://user@acme.my.salesforce.com', 'https://acme.my.salesforce.com:8443', 'javascript:alert(1)'])('stores nothing when the answer names a foreign instance: %s', async (instanceUrl) => {
    await control('PUT', 'settings', { options: { instanceUrl } });
    const id = await integration();
    expect(await comeBack(await atProvider(await begin(id)))).toMatchObject({ status: 400, text: expect.stringContaining('oauth.foreign_instance') as unknown });
    expect(await authorizationOf(id)).toBeNull();
  });

  it('tells it from a provider that is away, and from one that knows no such client', async () => {
    const id = await integration();
    const back = await atProvider(await begin(id));
    await control('POST', 'faults', { match: { operation: 'token' }, status: 503, times: 1 });
    expect((await comeBack(back)).text).toContain('oauth.unanswered');
    const again = await atProvider(await begin(id));
    await control('POST', 'faults', { match: { operation: 'token' }, status: 401, times: 1 });
    expect((await comeBack(again)).text).toContain('oauth.refused');
  });

  it('is confirmed where it began, when that was no browser', async () => {
    const id = await integration();
    const begun = await gateway.send('POST', `/api/integrations/${id}/connect`, {});
    expect(begun.body).toMatchObject({ confirm: true });
    const page = await comeBack(await atProvider(new URL(String(begun.body['authorization_url']))), bare);
    const code = /[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}/.exec(page.text)?.[0] ?? '';
    expect(await authorizationOf(id)).toBeNull();
    const confirm = (body: object, headers: Headers = {}): Promise<TestAnswer> => gateway.send('POST', `/api/integrations/${id}/connect/confirm`, body, headers);
    expect((await confirm({ code: '0000-0000-0000' })).status).toBe(400);
    expect((await confirm({ code }, { authorization: `Bearer ${await gateway.newKey(['admin'])}` })).status).toBe(400);
    expect(await confirm({ code })).toMatchObject({ status: 200, body: { authorization: { state: 'connected', connected_by: expect.stringMatching(/^key:/) as unknown } } });
    expect((await confirm({ code })).status).toBe(400);
  });

  it('is undone here and at the provider; held work does not go out another way', async () => {
    const id = await integration();
    await connected(id);
    const before = ((await control('GET', 'token-calls'))['calls'] as readonly unknown[]).length;
    expect(await gateway.send('POST', `/api/integrations/${id}/disconnect`, {})).toMatchObject({ status: 200, body: { revoked_at_provider: true, authorization: { state: 'disconnected' }, settings: { sign_in: 'authorization_code' } } });
    expect(((await control('GET', 'token-calls'))['calls'] as readonly unknown[]).slice(before)).toMatchObject([{ grantType: 'revoke' }]);
    expect((await gateway.send('POST', `/api/integrations/${id}/test`, {})).body).toMatchObject({ ok: false, checks: [{ problem: expect.stringContaining('disconnected') as unknown }] });
    await connected(id);
    expect((await gateway.send('POST', `/api/integrations/${id}/test`, {})).body).toMatchObject({ ok: true });
  });

  it('connects and disconnects with its entry in the trail, or not at all', async () => {
    const id = await integration();
    const newest = async () => ((await gateway.send('GET', '/api/audit?limit=1')).body['entries'] as readonly unknown[])[0];
    const withoutEntries = async (work: () => Promise<TestAnswer>): Promise<number> => {
      const database = await gateway.database.owner();
      await database.query(`create function spec_no_entry() returns trigger language plpgsql as $$ begin raise exception 'no entry today'; end $$`);
      await database.query('create trigger spec_no_entry before insert on audit_entries for each row execute function spec_no_entry()');
      const { status } = await work().finally(() => database.query('drop function spec_no_entry() cascade'));
      await database.end();
      gateway.bugs.length = 0;
      return status;
    };
    const back = await atProvider(await begin(id));
    expect(await withoutEntries(() => comeBack(back))).toBe(500);
    expect(await authorizationOf(id)).toBeNull();
    const waiting = await gateway.send('POST', `/api/integrations/${id}/connect`, {});
    const page = await comeBack(await atProvider(new URL(String(waiting.body['authorization_url']))), bare);
    const code = /[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}/.exec(page.text)?.[0] ?? '';
    expect(await withoutEntries(() => gateway.send('POST', `/api/integrations/${id}/connect/confirm`, { code }))).toBe(500);
    expect(await authorizationOf(id)).toBeNull();
    await connected(id);
    const standing = { state: 'connected', reason: null, connected_by: `user:${owner.userId}` };
    expect(await newest()).toMatchObject({ action: 'integrations:connect', outcome: 'done', subject: `GET /oauth/callback/:provider ${id}`, before: null, after: { authorization: standing } });
    expect(await withoutEntries(() => gateway.send('POST', `/api/integrations/${id}/disconnect`, {}))).toBe(500);
    expect(await authorizationOf(id)).toMatchObject({ state: 'connected' });
    expect((await gateway.send('POST', `/api/integrations/${id}/disconnect`, {})).status).toBe(200);
    expect(await newest()).toMatchObject({ action: 'integrations:connect', outcome: 'done', subject: `POST /api/integrations/:id/disconnect ${id}`, before: { authorization: standing }, after: { authorization: { state: 'disconnected' } } });
  });

  it('is given back when the integration is deleted', async () => {
    const id = await integration();
    await connected(id);
    const before = ((await control('GET', 'token-calls'))['calls'] as readonly unknown[]).length;
    expect((await gateway.send('DELETE', `/api/integrations/${id}`)).status).toBe(204);
    expect(((await control('GET', 'token-calls'))['calls'] as readonly unknown[]).slice(before)).toMatchObject([{ grantType: 'revoke' }]);
  });

  it('does not follow the settings to another address: whoever may change them does not get the tokens', async () => {
    const id = await integration();
    await connected(id);
    const elsewhere = await simulatorFor({ provider: 'salesforce' });
    expect((await gateway.send('PUT', `/api/integrations/${id}`, { settings: { instance_url: elsewhere.url, sign_in: 'authorization_code' }, credentials: anew }, { 'if-match': '"2"' })).status).toBe(200);
    expect((await gateway.send('POST', `/api/integrations/${id}/test`, {})).body).toMatchObject({ ok: false, checks: [{ problem: expect.stringContaining('another address') as unknown }] });
    expect((await gateway.send('POST', `/api/integrations/${id}/disconnect`, {})).body).toMatchObject({ revoked_at_provider: false });
    const calls = await fetch(`${elsewhere.url}/_control/calls`);
    expect(await calls.json()).toMatchObject({ total: 0 });
    await elsewhere.stop();
  });

  it('does not follow the settings with the stored credentials either: another scheme, host or port wants them given again', async () => {
    const genesys = await simulatorFor({ provider: 'genesys' });
    const elsewhere = await simulatorFor({ provider: 'genesys' });
    const here = { api_url: genesys.url, login_url: genesys.url };
    const id = await integration('genesys', here);
    const save = (body: object): Promise<TestAnswer> => gateway.send('PUT', `/api/integrations/${id}`, body, { 'if-match': '"1"' });
    const there = { api_url: elsewhere.url, login_url: elsewhere.url };
    const masked = { client_id: 'id', client_secret: '********' };
    for (const settings of [there, { ...here, api_url: elsewhere.url }, { ...here, login_url: elsewhere.url }, { ...here, api_url: genesys.url.replace('http:', 'https:') }, { region: 'evil.example' }, { ...here, api_url: null, region: 'evil.example' }, {}])
      for (const credentials of [{}, { credentials: masked }]) expect((await save({ settings, ...credentials })).body).toMatchObject({ status: 422, code: 'integration.credentials_bound', fix: expect.stringContaining('again') as unknown });
    expect((await gateway.send('GET', `/api/integrations/${id}`)).body).toMatchObject({ settings: here, version: 1 });
    // Another path of the same place, other settings, and a region that no call uses.
    expect((await save({ settings: { ...here, api_url: `${genesys.url}/api`, region: 'mypurecloud.com.au', limit_per_minute: 10 } })).status).toBe(200);
    expect((await gateway.send('PUT', `/api/integrations/${id}`, { settings: there, credentials: anew }, { 'if-match': '"2"' })).status).toBe(200);
    expect((await gateway.send('POST', `/api/integrations/${id}/test`, {})).body).toMatchObject({ ok: true });
    await genesys.stop();
    await elsewhere.stop();
  });

  it('does not begin where nobody signs in, without a client, or where the callback address is anybody\'s guess', async () => {
    const techone = await integration('techone', { base_url: 'https://council.example' });
    expect((await gateway.send('POST', `/api/integrations/${techone}/connect`, {}, owner.headers)).body).toMatchObject({ status: 409, code: 'oauth.not_offered' });
    const made = await gateway.send('POST', `/api/integrations/org/${gateway.organisationId}`, { provider: 'salesforce', name: 'CRM', settings: { instance_url: salesforce.url } });
    expect((await gateway.send('POST', `/api/integrations/${String(made.body['id'])}/connect`, {}, owner.headers)).body).toMatchObject({ status: 409, code: 'integration.not_connected' });
    const id = await integration();
    expect(await beginAs('trunkline.example.org', id)).toMatchObject({ code: 'oauth.public_url_missing' });
  });

  /** What the request says it came to is taken for the public address on a developer's own machine only. */
  async function beginAs(host: string, id: string): Promise<unknown> {
    const call = request(`${gateway.url}/api/integrations/${id}/connect`, { method: 'POST', headers: { host, authorization: `Bearer ${gateway.apiKey}` } });
    call.end();
    const [answer] = (await once(call, 'response')) as [IncomingMessage];
    return json(answer);
  }

  it('leaves nothing readable behind: no token, no verifier, no state', async () => {
    const id = await integration();
    await connected(id);
    const waiting = await begin(id);
    const reader = await gateway.database.owner();
    const { rows } = await reader.query<{ row: string; tokens: Buffer | null; secrets: Buffer | null }>(`select g::text as row, tokens, null::bytea as secrets from grants g union all select s::text, null, secrets from sign_ins s union all select a::text, null, null from audit_entries a`);
    await reader.end();
    const text = rows.map(({ row, tokens, secrets }) => [row, tokens?.toString('latin1'), secrets?.toString('latin1')].join(' ')).join('\n');
    expect(text).toContain('integrations:connect');
    for (const secret of ['00D5g0000000001!', '5Aep.', 'access_token', 'verifier', waiting.searchParams.get('state') ?? '']) expect(text).not.toContain(secret);
  });
});
