import { startGateway, type RunningGateway } from '@trunkline/app-gateway';
import { createIdentity } from '@trunkline/identity';
import { Canary, hostsWithin } from '@trunkline/outbound/testing';
import { openTestDatabase, type TestDatabase } from '@trunkline/storage/testing';
import { createLogger } from '@trunkline/telemetry';
import { parseMasterKeys } from '@trunkline/vault';
import { newMasterKeys } from '../support/council.js';
import { until } from '../support/until.js';

interface Field {
  readonly name: string;
  readonly kind: string;
}
interface Template {
  readonly provider: string;
  readonly settings: readonly Field[];
}

/** Every field of every provider that becomes part of an address, on the way a customer takes: save it, then test the connection. */
describe('an address that a customer types in', () => {
  const canary = new Canary();
  let database: TestDatabase;
  let gateway: RunningGateway;
  let headers: Record<string, string>;
  let organisationId: string;

  beforeAll(async () => {
    await canary.listen();
    database = await openTestDatabase();
    const identity = createIdentity({ databases: database.databases });
    ({ id: organisationId } = await identity.createOrganisation({ name: 'Harbour City Council' }));
    const { apiKey } = await identity.createApiKey({ organisationId, name: 'spec', scopes: ['admin', 'read', 'execute'] });
    headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' };
    const config = { databaseUrl: database.url, kafkaBrokers: [], host: '127.0.0.1', port: 0, opsHost: '127.0.0.1', opsPort: 0, answerWithinMs: 2_000, outboundAllow: [], outboundPorts: [443, canary.port] };
    gateway = await startGateway(config, { databases: database.databases, masterKeys: parseMasterKeys(newMasterKeys()), logger: createLogger({ app: 'spec', level: 'silent' }) });
    // A gateway that has not met a key asks for it within a second or says 503; afterwards it remembers.
    await until('the key being known', async () => (await ask('GET', '/api/integrations/templates')).status === 200, 60_000, 1_100);
  }, 120_000);

  afterAll(async () => {
    await gateway?.close();
    await database?.close();
    canary.close();
  }, 60_000);

  const credentials = { client_id: 'id', client_secret: 'secret' };
  const ask = async (method: string, path: string, body?: object, more: Record<string, string> = {}): Promise<Response> => fetch(`${gateway.url}${path}`, { method, headers: { ...headers, ...more }, ...(body && { body: JSON.stringify(body) }) });
  /** The field under test alone decides where the first call goes; a name under .invalid never resolves (RFC 6761). */
  const settingsWith = (template: Template, field: string, value: string): Record<string, unknown> => ({
    ...Object.fromEntries(template.settings.filter(({ kind }) => kind === 'url').map(({ name }) => [name, null])),
    ...(template.settings.some(({ name }) => name === 'region') && { region: 'trunkline.invalid' }),
    [field]: value,
  });

  /** The exchange of a code is a call of ours too: whoever comes back with any code makes the platform ask the token endpoint. */
  async function signInVainly(provider: string, id: string): Promise<boolean> {
    const begun = await ask('POST', `/api/integrations/${id}/connect`);
    if (begun.status !== 200) return false;
    const { authorization_url: url } = (await begun.json()) as { readonly authorization_url: string };
    const page = await fetch(`${gateway.url}/oauth/callback/${provider}?code=any&state=${new URL(url).searchParams.get('state') ?? ''}`);
    const code = /[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}/.exec(await page.text())?.[0];
    const confirmed = await ask('POST', `/api/integrations/${id}/connect/confirm`, { code });
    // Refused by the policy, or a name that leads nowhere.
    expect(['oauth.refused', 'oauth.unanswered']).toContain(((await confirmed.json()) as { readonly code: string }).code);
    return true;
  }

  it('never makes the platform connect to itself, its network or its cloud', async () => {
    const { templates } = (await (await ask('GET', '/api/integrations/templates')).json()) as { readonly templates: readonly Template[] };
    const entryPoints = templates.flatMap((template) => template.settings.filter(({ kind, name }) => kind === 'url' || name === 'region').map((field) => ({ template, field })));
    expect(entryPoints.map(({ template, field }) => `${template.provider}.${field.name}`).sort()).toEqual(['genesys.api_url', 'genesys.login_url', 'genesys.region', 'salesforce.instance_url', 'techone.base_url']);
    let refused = 0;
    let tested = 0;
    let exchanged = 0;
    // Each is an integration of its own: they do not wait for each other.
    await Promise.all(entryPoints.map(async ({ template, field }) => {
      const made = await ask('POST', `/api/integrations/org/${organisationId}`, { provider: template.provider, name: field.name, settings: settingsWith(template, field.name, field.kind === 'url' ? 'https://trunkline.invalid' : 'trunkline.invalid'), credentials });
      expect(made.status).toBe(201);
      const { id } = (await made.json()) as { readonly id: string };
      let etag = made.headers.get('etag') ?? '';
      for (const host of hostsWithin) {
        const value = field.kind === 'url' ? `https://${host}:${canary.port}/` : `x@${host}:${canary.port}`;
        const settings = settingsWith(template, field.name, value);
        const saved = await ask('PUT', `/api/integrations/${id}`, { settings, credentials }, { 'if-match': etag });
        // What is no URL, or no domain alone, is refused when it is saved.
        if (saved.status === 422) {
          refused += 1;
          continue;
        }
        expect(saved.status).toBe(200);
        etag = saved.headers.get('etag') ?? '';
        const answer = await ask('POST', `/api/integrations/${id}/test`);
        expect({ host, status: answer.status, ok: ((await answer.json()) as { readonly ok?: boolean }).ok }).toEqual({ host, status: 200, ok: false });
        tested += 1;
        if (field.kind === 'url' && (await signInVainly(template.provider, id))) exchanged += 1;
      }
      await ask('DELETE', `/api/integrations/${id}`);
    }));
    expect(tested).toBeGreaterThan(60 * 4 - 10);
    expect(refused).toBeGreaterThanOrEqual(60);
    expect(exchanged).toBeGreaterThan(60 * 3);
    expect(canary.connections).toBe(0);
  }, 400_000);
});
