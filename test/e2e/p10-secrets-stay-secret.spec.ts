import { randomBytes } from 'node:crypto';
import type { Council } from '../support/council.js';
import { placeOfCredentials } from '@trunkline/storage';
import { newMasterKeys, vaultOf } from '../support/council.js';
import type { Answer, GatewayClient } from '../support/gateway-client.js';
import { base64Forms, formsOf } from '../support/secret-forms.js';
import { SecretsOfARun } from '../support/secrets-of-a-run.js';
import { councilEvent } from '../support/service-requests.js';
import { System } from '../support/system.js';
import { until } from '../support/until.js';

jest.setTimeout(120_000);

const clientSecret = `canary-${randomBytes(18).toString('hex')}`;
const newSecret = `canary-new-${randomBytes(18).toString('hex')}`;

describe('P10: secrets stay secret', () => {
  let system: System;
  let council: Council;
  let client: GatewayClient;
  let used: SecretsOfARun;
  const answers: string[] = [];

  beforeAll(async () => {
    system = await System.start({ providers: { genesys: { clientSecret }, techone: { clientSecret }, salesforce: { clientSecret } } });
    council = await system.seed({ clientSecret });
    client = system.client(council);
    used = new SecretsOfARun(system, council);
    used.listen();
    await used.make();
    await useAndAbuse();
  });

  afterAll(async () => {
    used?.stop();
    await system?.end();
  });

  const keep = (answer: Answer): Answer => {
    answers.push(`${answer.text}\n${JSON.stringify([...answer.headers])}`);
    return answer;
  };

  /** Good calls, refused ones, providers that repeat what they were sent, a test of the connection, new credentials, wrong keys. */
  async function useAndAbuse(): Promise<void> {
    const { techone } = council.integrations;
    const good = await client.publishSurely([councilEvent('good-1'), councilEvent('good-2')]);
    await system.untilState(good.values(), 'done');
    await system.providers.techone.addFault({ match: { operation: 'saveWorkRequest' }, status: 400, body: { Messages: [{ NotificationType: 'Error', Code: 'E1', Message: `client_secret=${clientSecret} is not welcome` }] }, times: 1 });
    const [refused = ''] = (await client.publishSurely([councilEvent('refused-1')])).values();
    await system.untilState([refused], 'dead-lettered');
    await system.providers.salesforce.addFault({ match: { operation: 'upsertRecord' }, malformed: true, times: 1 });
    await system.providers.genesys.control('POST', '/expire-tokens');
    await system.untilState((await client.publishSurely([councilEvent('odd-1')])).values(), 'done');
    // Something to log about, while nothing is in hand: a pass of the ledger fails.
    await system.reader.query('alter table gates rename to gates_away');
    await until('a warning', () => system.logLines.length > 0);
    await system.reader.query('alter table gates_away rename to gates');
    await system.untilState((await client.publishSurely([councilEvent('after-break-1')])).values(), 'done');
    keep(await client.ask('POST', `/api/integrations/${techone}/test`));
    const read = keep(await client.ask('GET', `/api/integrations/${techone}`));
    expect(keep(await client.ask('PUT', `/api/integrations/${techone}`, { credentials: { client_id: 'client', client_secret: newSecret } }, { 'if-match': read.headers.get('etag') ?? '' })).status).toBe(200);
    keep(await client.ask('POST', `/api/integrations/${techone}/test`));
    keep(await client.ask('PUT', `/api/integrations/${techone}`, { credentials: { client_secret: clientSecret, unknown_field: clientSecret } }));
    for (const path of [`/api/integrations/org/${council.organisationId}`, '/api/integrations/templates', '/api/runs', `/api/runs/${refused}`, '/api/dead-letters', '/api/event-types', '/api/chains/conversation_ended', '/api/openapi.json']) keep(await client.ask('GET', path));
    keep(await system.client({ apiKey: `${council.apiKey}x` }).ask('GET', '/api/runs'));
  }

  function secrets(): readonly string[] {
    const [, masterKey = ''] = system.masterKeys.split(':');
    const parts = [council.apiKey, ...used.made.values()].flatMap((secret) => (/^t[lis]u?_/.test(secret) ? [secret, secret.slice(-43)] : [secret]));
    return [clientSecret, newSecret, masterKey, Buffer.from(masterKey, 'base64').toString('hex'), ...parts];
  }

  function found(text: string, mayShow: readonly string[] = []): readonly string[] {
    return secrets().filter((secret) => !mayShow.some((shown) => shown.includes(secret)) && formsOf(secret).some((form) => text.includes(form)));
  }

  it('would notice one', () => {
    expect(secrets().filter((secret) => secret.length < 14)).toEqual([]);
    for (const secret of secrets()) expect(found(`before ${secret} after`)).toContain(secret);
    expect(found(Buffer.from(`before ${clientSecret} after`).toString('hex'))).toHaveLength(1);
    expect(found(new URLSearchParams({ token: [...used.made.values()].find((secret) => encodeURIComponent(secret) !== secret) ?? '' }).toString())).toHaveLength(1);
    for (const before of ['', 'x', 'xy']) {
      for (const encoding of ['base64', 'base64url'] as const) expect(found(Buffer.from(`${before}${clientSecret} after`).toString(encoding))).not.toEqual([]);
    }
    // Bytes whose base64 and base64url differ, with a neighbour on either side.
    const odd = 'ÿþ~~~???ÿÿþþ>>>>';
    for (const encoding of ['base64', 'base64url'] as const) {
      for (const before of ['', 'x', 'xy']) expect(base64Forms(odd).some((form) => Buffer.from(`${before}${odd}é`).toString(encoding).includes(form))).toBe(true);
    }
  });

  it('looks for every kind that a platform in use has', () => {
    const kinds = [...used.made.keys()].join('\n');
    for (const kind of ['set-up token', 'password', 'mistyped password', 'session of', 'csrf token of', 'invitation of', 'API key', 'rotated API key', 'state of', 'authorization code of', 'confirmation code', 'verifier of', 'access token of the browser', 'refresh token of the refresh', 'access token sent to']) expect(kinds).toContain(kind);
    // One at least of each provider.
    expect(new Set([...used.made.keys()].flatMap((what) => /^access token sent to (\S+),/.exec(what)?.[1] ?? [])).size).toBe(3);
  });

  it('has none in any answer but the one that is there to show it', () => {
    expect(answers.length).toBeGreaterThan(12);
    expect(answers.flatMap((text) => found(text))).toEqual([]);
    expect(used.answers.length).toBeGreaterThan(30);
    expect(used.answers.flatMap(({ text, mayShow }) => found(text, mayShow).map((secret) => ({ secret, text })))).toEqual([]);
  });

  it('has none in the logs or the metrics', async () => {
    expect(system.logLines.length).toBeGreaterThan(0);
    expect(found(system.logLines.join('\n'))).toEqual([]);
    const metrics = (await system.metrics.scrape()).text;
    expect(metrics).toContain('trunkline_');
    expect(found(metrics)).toEqual([]);
  });

  it('has none in any column of any table, the topics included', async () => {
    const tables = await system.reader.query<{ name: string }>(`select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'p') and not c.relispartition and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')`);
    const dumps = await Promise.all(tables.map(async ({ name }) => ({ name, text: (await system.reader.query<{ row: string }>(`select t::text as row from ${name} t`)).map(({ row }) => row).join('\n') })));
    const filled = dumps.filter(({ text }) => text !== '').map(({ name }) => name);
    expect(filled).toEqual(expect.arrayContaining(['runs', 'attempts', 'dead_letters', 'integrations', 'api_key_index']));
    expect(filled.some((name) => /record/.test(name))).toBe(true);
    expect(dumps.filter(({ text }) => found(text).length > 0).map(({ name }) => name)).toEqual([]);
  });

  it('keeps credentials under a key that can be told and replaced while both are in use', async () => {
    const [row] = await system.reader.query<{ id: string; organisation_id: string; credentials: Buffer }>('select id, organisation_id, credentials from integrations where id = $1', [council.integrations.techone]);
    const sealed = row?.credentials ?? Buffer.alloc(0);
    const place = placeOfCredentials(council.organisationId, council.integrations.techone);
    const [dataKey] = await system.reader.query<{ id: string; wrapped: Buffer }>('select id, wrapped from data_keys where organisation_id = $1 and is_current', [council.organisationId]);
    expect(sealed.includes(dataKey?.id ?? 'none')).toBe(true);
    expect(dataKey?.wrapped.includes('test-1')).toBe(true);
    const vault = vaultOf(system.database.databases, `${newMasterKeys().replace('test-1', 'test-2')},${system.masterKeys}`);
    const plaintext = (await vault.open(sealed, place)).toString();
    expect(JSON.parse(plaintext)).toMatchObject({ client_secret: newSecret });
    // Sealed again under the organisation's next data key, and bound to its place: in another row it does not open.
    const next = await vault.newDataKey(council.organisationId);
    const resealed = (await vault.reseal(sealed, place)) ?? sealed;
    expect(resealed.includes(next)).toBe(true);
    expect((await vault.open(resealed, place)).toString()).toBe(plaintext);
    expect((await vault.open(sealed, place)).toString()).toBe(plaintext);
    await expect(vault.open(resealed, placeOfCredentials(council.organisationId, council.integrations.genesys))).rejects.toThrow();
  });
});
