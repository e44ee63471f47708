import { randomBytes } from 'node:crypto';
import { MatrixWorld, type Tenant } from '../testing/matrix-world.js';
import { type Operation, operationsOf, pathOf } from '../testing/operations.js';
import { sendPath } from '../testing/raw-http.js';

/** Where the database keeps what nobody is ever shown, not even as a hash. */
const secretColumns = [['users', 'password'], ['sessions', 'sha256'], ['api_key_index', 'sha256'], ['invitations', 'sha256'], ['setup_tokens', 'sha256'], ['data_keys', 'wrapped'], ['integrations', 'credentials'], ['grants', 'tokens'], ['sign_ins', 'secrets'], ['sign_ins', 'state_sha256']] as const;

const injections = [
  "'", "''", "' or 1=1 --", "' or '1'='1", "'; drop table runs; --", '"; select 1; --', "') or true --", '\\', "\\' or 1=1 --", '%', '_', '$1', '$$', "' union select sha256 from api_key_index --", "1; select pg_sleep(5)", "'||pg_sleep(5)||'", 'organisation_id', '(select 1)', '*', '{}', '[]', 'null', 'true', '-1', '1e999', '0x10', 'NaN', "' is not null --", '/**/', 'é\u202e', '\u0001',
];

describe('every answer', () => {
  let world: MatrixWorld;
  let own: Tenant;
  let gets: readonly Operation[];
  let writes: readonly Operation[];
  let owner: Record<string, string>;
  const canary = `canary${randomBytes(12).toString('hex')}`;
  const planted = new Set<string>([canary]);

  beforeAll(async () => {
    world = await MatrixWorld.start();
    own = await world.tenant('Harbour City Council', 'escalation');
    const operations = await operationsOf(world);
    gets = operations.filter(({ method, template }) => method === 'GET' && template !== '/api/session/openid/callback');
    writes = operations.filter(({ method }) => method !== 'GET');
    const person = await world.newMember(own, 'owner');
    owner = { ...(await world.signIn(person)).headers } as Record<string, string>;
    await plant();
  }, 120_000);
  afterAll(() => world?.close(), 60_000);
  afterEach(() => expect(world.gateway.bugs).toEqual([]));

  async function plant(): Promise<void> {
    const { gateway } = world;
    const integration = await gateway.send('POST', `/api/integrations/org/${own.id}`, { provider: 'salesforce', name: 'canary', settings: { instance_url: 'https://crm.example.org' }, credentials: { client_id: `${canary}id`, client_secret: `${canary}secret` } }, own.admin);
    expect(integration.status).toBe(201);
    for (const path of ['/api/keys', '/api/invitations']) {
      const made = await gateway.send('POST', path, path === '/api/keys' ? { name: 'canary', scopes: ['publish'] } : { email: 'canary@example.org', role: 'viewer' }, { authorization: undefined, ...owner });
      const shownOnce = String(made.body['api_key'] ?? made.body['token']);
      expect(shownOnce.length).toBeGreaterThan(40);
      planted.add(shownOnce);
    }
    planted.add(String(await gateway.people.setup.offer() ?? canary));
    await gateway.people.accounts.create({ email: 'with-password@example.org', name: 'x', password: `${canary} as a password` });
    // An event's own data is the organisation's to see; what a step was called with is too.
    const database = await gateway.database.owner();
    expect((await gateway.send('POST', `/api/integrations/${own.integration}/connect`, {}, { authorization: undefined, ...owner })).status).toBe(200);
    await database.query(`insert into grants (organisation_id, integration_id, provider, state, tokens, connected_by) values ($1, $2, 'salesforce', 'connected', $3, 'user:x')`, [own.id, own.integration, randomBytes(64)]);
    for (const [table, column] of secretColumns) {
      const { rows } = await database.query<{ value: Buffer | string }>(`select ${column} as value from ${table} where ${column} is not null`);
      expect({ table, isThere: rows.length > 0 }).toEqual({ table, isThere: true });
      for (const { value } of rows) for (const text of Buffer.isBuffer(value) ? [value.toString('hex'), value.toString('base64').slice(0, 40), value.toString('base64url').slice(0, 40)] : [value]) planted.add(text);
    }
    await database.end();
    for (const cookie of [owner['cookie'] ?? '']) planted.add(cookie.split('=')[1] ?? '');
  }

  const shown = (text: string): readonly string[] => [...planted].filter((secret) => secret.length > 20 && text.includes(secret));

  it('of what only shows holds no secret, whoever asks and whatever for', async () => {
    const found: unknown[] = [];
    let asked = 0;
    for (const operation of gets) {
      const path = await pathOf(operation, own, world);
      for (const headers of [owner, own.admin as Record<string, string>, {}]) {
        for (const query of ['', '?limit=500', '?include=credentials&fields=credentials,sha256&expand=secrets&debug=true']) {
          const { text } = await sendPath(world.gateway.url, 'GET', path + query, headers);
          asked += 1;
          if (shown(text).length > 0) found.push({ operation: operation.name, query, secrets: shown(text) });
        }
      }
    }
    for (const path of ['/api/docs', '/api/docs/page.js', '/api/openapi.json', '/', '/.env', '/api/integrations/export', '/metrics', '/healthz', '/debug/pprof', '/api/config']) {
      const { text } = await sendPath(world.gateway.url, 'GET', path, owner);
      if (shown(text).length > 0) found.push({ path });
    }
    expect(found).toEqual([]);
    expect(asked).toBeGreaterThan(150);
  }, 180_000);

  it('of what changes something gives no secret back, neither taken nor refused', async () => {
    const found: unknown[] = [];
    for (const operation of writes) {
      const bodies = [
        { ...(operation.body as object | undefined), password: `${canary}1`, token: `${canary}2`, credentials: { client_id: `${canary}3`, client_secret: { deep: `${canary}4` } } },
        { ...(operation.body as object | undefined), credentials: { client_id: 'x', client_secret: `${canary}5` } },
        { ...(operation.body as object | undefined), credentials: `${canary}6`, password: { a: `${canary}7` }, current_password: `${canary}8`, new_password: `${canary}9` },
      ];
      for (const body of bodies) {
        const { text } = await sendPath(world.gateway.url, operation.method, await pathOf(operation, own, world), { ...own.admin, 'content-type': 'application/json' }, JSON.stringify(body));
        if (shown(text).length > 0) found.push({ operation: operation.name, text });
      }
    }
    expect(found).toEqual([]);
  }, 180_000);

  it('to a filter made of SQL is what the filter says, or a refusal; never more, never an error of ours', async () => {
    const wrong: unknown[] = [];
    let tried = 0;
    for (const operation of gets.filter(({ query }) => query.length > 0)) {
      const path = await pathOf(operation, own, world);
      const free = operation.query.filter(({ schema, name }) => schema?.type === 'string' && schema.enum === undefined && schema.format === undefined && name !== 'after');
      for (const { name } of operation.query) {
        for (const injection of injections) {
          const asked = async () => {
            const startedAt = performance.now();
            return { ...(await sendPath(world.gateway.url, 'GET', `${path}?${name}=${encodeURIComponent(injection)}`, owner)), tookMs: performance.now() - startedAt };
          };
          const { status, text, tookMs } = await asked();
          // What sleeps in the database does so each time, a machine that stands still for a moment once.
          const isSlow = tookMs > 4_000 && (await asked()).tookMs > 4_000;
          tried += 1;
          const listed = Object.values(JSON.parse(text) as Record<string, unknown>).filter(Array.isArray).flat().length;
          const isFree = free.some((parameter) => parameter.name === name);
          if (![200, 400, 404].includes(status) || (isFree && status === 200 && listed > 0) || isSlow) wrong.push({ operation: operation.name, name, injection, status, listed });
        }
      }
    }
    expect(wrong).toEqual([]);
    expect(tried).toBeGreaterThan(500);
    // Nothing can be sorted by a name today; what comes to be names its columns.
    expect(gets.flatMap(({ name, query }) => query.filter((parameter) => /sort|order|column|field/.test(parameter.name) && parameter.schema?.enum === undefined).map((parameter) => `${name} ${parameter.name}`))).toEqual([]);
  }, 180_000);

  it('to SQL in an address is that there is no such thing', async () => {
    const wrong: unknown[] = [];
    for (const operation of gets.filter(({ template }) => template.includes('{'))) {
      for (const injection of injections) {
        const { status } = await sendPath(world.gateway.url, 'GET', operation.template.replace(/\{\w+\}/g, encodeURIComponent(injection)), owner);
        if (![400, 404].includes(status)) wrong.push({ operation: operation.name, injection, status });
      }
    }
    expect(wrong).toEqual([]);
    expect((await world.gateway.send('GET', '/api/runs', undefined, own.admin)).body['runs']).toContainEqual(expect.objectContaining({ run_id: own.run }));
  }, 180_000);
});
