import { summaryAlone, type Council } from '../support/council.js';
import type { GatewayClient } from '../support/gateway-client.js';
import { councilEvent } from '../support/service-requests.js';
import { System } from '../support/system.js';
import { until } from '../support/until.js';

jest.setTimeout(90_000);

/** Salesforce, connected by a person's sign-in, with one ordered step. */
describe('work in the name of a person who signed in', () => {
  let system: System;
  let council: Council;
  let client: GatewayClient;
  let path = '';

  beforeAll(async () => {
    system = await System.start();
    await system.providers.salesforce.control('PUT', '/settings', { options: { refreshTokenRotates: true } });
    council = await system.seed({ steps: (integrations) => [{ ...summaryAlone(integrations), ordering: 'subject' }] });
    client = system.client(council);
    path = `/api/integrations/${council.integrations.salesforce}`;
  });
  afterAll(() => system?.end());

  /** As the command line does it: the browser is somebody's, the code is typed in. */
  async function signIn(): Promise<void> {
    const begun = await client.ask('POST', `${path}/connect`, {});
    const sent = await fetch(String(begun.json['authorization_url']), { redirect: 'manual' });
    const page = await (await fetch(sent.headers.get('location') ?? '')).text();
    const code = /[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}/.exec(page)?.[0];
    expect(await client.ask('POST', `${path}/connect/confirm`, { code })).toMatchObject({ status: 200, json: { authorization: { state: 'connected' } } });
  }
  const tokenCalls = async (): Promise<readonly { readonly grantType: string; readonly outcome: string }[]> => ((await system.providers.salesforce.control('GET', '/token-calls')) as { readonly calls: readonly { readonly grantType: string; readonly outcome: string }[] }).calls;
  const effectsOf = async (prefix: string) => (await system.effects('salesforce')).filter(({ eventId }) => eventId.startsWith(prefix));

  it('is done with the tokens of that person alone', async () => {
    await signIn();
    await system.untilState((await client.publishSurely([councilEvent('first-1'), councilEvent('first-2')])).values(), 'done');
    expect((await tokenCalls()).map(({ grantType }) => grantType)).toEqual(['authorization_code']);
  });

  it('is held when the person takes the grant back, with the reason and a count, and goes on in order and at a chosen pace once somebody has signed in again', async () => {
    await system.providers.salesforce.control('POST', '/revoke-grants');
    const eventIds = Array.from({ length: 12 }, (_, index) => `held-${String(index).padStart(2, '0')}`);
    const runIds = await client.publishSurely(eventIds.map((id) => councilEvent(id, { subject: '12 Wharf Road' })));
    await until('the gate waiting for a reconnection', async () => (await system.reader.query(`select from gates where reason = 'reconnect'`)).length > 0);
    expect((await client.ask('GET', path)).json['authorization']).toMatchObject({ state: 'reconnect', reason: 'grant_ended' });
    const [firstRun = ''] = runIds.values();
    await until('the first step saying why', async () => JSON.stringify((await client.ask('GET', `/api/runs/${firstRun}`)).json).includes('reconnect'));
    const held = (await system.reader.runs()).filter(({ runId }) => [...runIds.values()].includes(runId));
    expect(held.map(({ steps }) => steps[0]?.attempts)).toEqual(eventIds.map(() => 0));
    expect(await effectsOf('held-')).toEqual([]);
    await until('all of them being counted', async () => Number((await client.ask('GET', path)).json['held']) === eventIds.length);
    expect((await tokenCalls()).filter(({ grantType }) => grantType === 'refresh_token')).toEqual([expect.objectContaining({ outcome: 'invalid_grant' })]);

    const before = await client.ask('GET', path);
    expect((await client.ask('PUT', path, { settings: { ...(before.json['settings'] as object | undefined), limit_per_second: 2 } }, { 'if-match': before.headers.get('etag') ?? '' })).status).toBe(200);
    const startedMs = Date.now();
    await signIn();
    await system.untilState(runIds.values(), 'done', 60_000);
    const tookMs = Date.now() - startedMs;
    expect((await effectsOf('held-')).map(({ eventId }) => eventId)).toEqual((await system.reader.planned()).get('12 Wharf Road'));
    // Twelve calls at two a second.
    expect(tookMs).toBeGreaterThan(4_500);
    expect((await system.reader.runs()).filter(({ runId }) => [...runIds.values()].includes(runId)).map(({ steps }) => steps[0]?.attempts)).toEqual(eventIds.map(() => 1));
  });

  it('is refreshed when the session of the person ends, without a failed step', async () => {
    const before = (await tokenCalls()).length;
    await system.providers.salesforce.control('POST', '/expire-tokens');
    await system.untilState((await client.publishSurely([councilEvent('later-1'), councilEvent('later-2')])).values(), 'done');
    expect((await tokenCalls()).slice(before)).toMatchObject([{ grantType: 'refresh_token', outcome: 'issued' }]);
  });

  it('leaves no token in logs, records or tables', async () => {
    const tables = (await system.reader.query<{ name: string }>(`select quote_ident(schemaname) || '.' || quote_ident(tablename) as name from pg_tables where schemaname not in ('pg_catalog', 'information_schema')`)).map(({ name }) => name);
    const rows = await Promise.all(tables.map(async (name) => JSON.stringify(await system.reader.query(`select t::text as row from ${name} t`))));
    const text = [...rows, ...system.logLines].join('\n');
    expect(text).toContain('integrations:connect');
    const shown = (secret: string): boolean => text.includes(secret) || text.includes(Buffer.from(secret).toString('hex')) || text.includes(Buffer.from(secret).toString('base64').slice(0, -4));
    for (const secret of ['00D5g0000000001!', '5Aep.']) expect({ secret, isShown: shown(secret) }).toEqual({ secret, isShown: false });
  });
});
