import { MatrixWorld, type Tenant } from '../testing/matrix-world.js';
import { type Operation, operationsOf, pathOf, withField } from '../testing/operations.js';
import { sendPath } from '../testing/raw-http.js';

/** Other ways to write an address; a router that reads one of them more kindly than a guard does would let it in. */
const variants: Readonly<Record<string, (path: string) => string>> = {
  'a slash at the end': (path) => `${path}/`,
  'two slashes at the beginning': (path) => `/${path}`,
  'two slashes within': (path) => path.replace('/api/', '/api//'),
  'a letter in percent': (path) => path.replace('/api', '/%61pi'),
  'the last letter in percent': (path) => `${path.slice(0, -1)}%${path.charCodeAt(path.length - 1).toString(16)}`,
  'a slash in percent': (path) => path.replace('/api/', '/api%2f'),
  'percent in percent': (path) => path.replace('/api', '/%2561pi'),
  'a semicolon': (path) => `${path};x=1`,
  'a semicolon within': (path) => path.replace('/api', '/api;x=1'),
  'a dot': (path) => path.replace('/api/', '/api/./'),
  'two dots': (path) => path.replace('/api/', '/api/x/../'),
  'two dots in percent': (path) => path.replace('/api/', '/api/x/%2e%2e/'),
  'two dots from an open place': (path) => path.replace('/api/', '/api/session/methods/../../'),
  capitals: (path) => path.replace('/api', '/API'),
  'a NUL': (path) => `${path}%00`,
  'a NUL and an ending': (path) => `${path}%00.css`,
  'a backslash': (path) => path.replace('/api/', '/api\\'),
  'a backslash in percent': (path) => path.replace('/api/', '/api%5c'),
  'a blank at the end': (path) => `${path}%20`,
  'an ending': (path) => `${path}.json`,
  'a whole address': (path) => `http://elsewhere.example${path}`,
  'a fragment': (path) => `${path}#x`,
};

/** What only the server decides; where an operation's description names the field, it is not one. */
const serverOwned: Readonly<Record<string, unknown>> = {
  organisation_id: '0a4b0c0d-0000-4000-8000-00000000dead', organisationId: '0a4b0c0d-0000-4000-8000-00000000dead', tenant_id: 'x', org_id: 'x', id: '0a4b0c0d-0000-4000-8000-00000000dead', user_id: 'x', run_id: 'x',
  role: 'owner', roles: ['owner'], permissions: ['runs:replay'], scopes: ['admin'], is_admin: true, plan: 'enterprise', limits: {}, overrides: {}, password_hash: 'x', sha256: 'x', key_id: 'x', prefix: 'x',
  version: 99, state: 'done', status: 'done', paused: false, valid_from: '2020-01-01T00:00:00Z', created_at: '2020-01-01T00:00:00Z', updated_at: '2020-01-01T00:00:00Z', created_by: 'x', accepted_at: '2020-01-01T00:00:00Z', credentials_ref: 'x', digest: 'x', constructor: {}, prototype: {}, hasOwnProperty: true,
};

describe('every operation of the API description', () => {
  let world: MatrixWorld;
  let own: Tenant;
  let operations: readonly Operation[];
  let owner: Record<string, string>;

  beforeAll(async () => {
    world = await MatrixWorld.start();
    own = await world.tenant('Harbour City Council', 'escalation');
    operations = await operationsOf(world);
    owner = { ...(await world.signIn(await world.newMember(own, 'owner'))).headers } as Record<string, string>;
  }, 120_000);
  afterAll(() => world?.close(), 60_000);
  afterEach(() => expect(world.gateway.bugs).toEqual([]));

  const bodyOf = (operation: Operation): string | undefined => (operation.body === undefined ? undefined : JSON.stringify(operation.body));
  const json = { 'content-type': 'application/json' };

  it('is not reached without its guard, however its address is written', async () => {
    const guarded = operations.filter(({ roles }) => roles !== 'everybody');
    expect(guarded.length).toBeGreaterThan(35);
    const letIn: unknown[] = [];
    for (const operation of guarded) {
      const path = await pathOf(operation, own, world);
      for (const [variant, write] of Object.entries(variants)) {
        const asNobody = await sendPath(world.gateway.url, operation.method, write(path), json, bodyOf(operation));
        if (![400, 401, 404].includes(asNobody.status)) letIn.push({ variant, path: write(path), method: operation.method, status: asNobody.status });
      }
    }
    expect(letIn).toEqual([]);
    // None of it was done either: whatever has an effect tells of it.
    expect(world.gateway.effects.filter(({ actor }) => actor.organisationId !== own.id)).toEqual([]);
  }, 180_000);

  it('asks the same permission of an address written otherwise', async () => {
    const key = { authorization: `Bearer ${await world.gateway.newKey(['event-types:read'], own.id)}` };
    const letIn: unknown[] = [];
    for (const operation of operations.filter(({ scope }) => scope !== null && scope !== 'event-types:read')) {
      const path = await pathOf(operation, own, world);
      for (const [variant, write] of Object.entries(variants)) {
        const { status } = await sendPath(world.gateway.url, operation.method, write(path), { ...json, ...key }, bodyOf(operation));
        if (![400, 403, 404].includes(status)) letIn.push({ variant, method: operation.method, path: write(path), status });
      }
    }
    expect(letIn).toEqual([]);
  }, 180_000);

  it('takes exactly the media types it names', async () => {
    const odd = ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/json; x', 'application/json;charset=latin1', 'application/json\ta', 'application/json, text/plain', 'application/jsonp', 'application/problem+json', 'text/json', '*/*', 'application/', 'application/json; charset=utf-8; charset=utf-16'];
    const good = ['application/json', 'Application/JSON', 'application/json; charset=utf-8', 'application/json;charset="UTF-8"'];
    const wrong: unknown[] = [];
    for (const operation of operations.filter(({ bodyParts }) => bodyParts.length > 0)) {
      const path = await pathOf(operation, own, world);
      for (const type of [...odd, ...(operation.template === '/api/events' ? [] : ['application/cloudevents+json'])]) {
        const { status } = await sendPath(world.gateway.url, operation.method, path, { ...owner, 'content-type': type }, bodyOf(operation) ?? '{}');
        if (status !== 415) wrong.push({ operation: operation.name, type, status });
      }
      for (const type of good) {
        const { status } = await sendPath(world.gateway.url, operation.method, path, { ...owner, 'content-type': type }, '{"surely": "no such field"}');
        if (status === 415) wrong.push({ operation: operation.name, type, status });
      }
    }
    expect(wrong).toEqual([]);
  }, 180_000);

  it('refuses what only the server decides, by name, at every depth of its body', async () => {
    const writes = operations.filter(({ method }) => method !== 'GET');
    const taken: unknown[] = [];
    let tried = 0;
    for (const operation of writes.filter(({ template }) => template !== '/api/events')) {
      const path = await pathOf(operation, own, world);
      for (const part of operation.bodyParts.length === 0 ? [{ path: [], fields: [] }] : operation.bodyParts) {
        for (const [field, value] of Object.entries(serverOwned).filter(([name]) => !part.fields.includes(name))) {
          const answer = await sendPath(world.gateway.url, operation.method, path, { ...owner, ...json }, JSON.stringify(withField(operation.body ?? {}, part.path, field, value)));
          tried += 1;
          const problem = JSON.parse(answer.text === '' ? '{}' : answer.text) as { code?: string; detail?: string };
          if (answer.status !== 400 || problem.code !== 'request.invalid' || problem.detail?.includes(`${field} may not be sent`) !== true) taken.push({ operation: operation.name, at: part.path.join('.'), field, status: answer.status, detail: problem.detail });
        }
      }
    }
    expect(taken).toEqual([]);
    expect(tried).toBeGreaterThan(900);
  }, 180_000);

  it('refuses a field that is given twice, and a body wider than any description', async () => {
    for (const operation of operations.filter(({ bodyParts, template }) => bodyParts.length > 0 && template !== '/api/events')) {
      const path = await pathOf(operation, own, world);
      for (const body of ['{"role":"viewer","role":"owner"}', '{"steps":[{"name":"a","n\\u0061me":"b"}]}', `{"a":[${'0,'.repeat(10_000)}0]}`]) {
        const answer = await sendPath(world.gateway.url, operation.method, path, { ...owner, ...json }, body);
        expect({ operation: operation.name, status: answer.status, says: /given twice|more than 10000 fields/.test(answer.text) }).toEqual({ operation: operation.name, status: 400, says: true });
      }
    }
  }, 180_000);

  it('answers with the security headers whatever it answers, and never says what it is made of', async () => {
    const poor: unknown[] = [];
    const look = async (method: string, path: string, headers: Record<string, string>, body?: string): Promise<void> => {
      const answer = await sendPath(world.gateway.url, method, path, headers, body);
      const policy = String(answer.headers['content-security-policy']);
      const isPage = path.startsWith('/api/docs');
      const lacks = [
        ['x-content-type-options', 'nosniff'], ['x-frame-options', 'DENY'], ['referrer-policy', 'no-referrer'], ['cross-origin-resource-policy', 'same-origin'], ['cross-origin-opener-policy', 'same-origin'], ...(path.startsWith('/api/docs/') ? [] : [['cache-control', 'no-store']]),
      ].filter(([name = '', value]) => answer.headers[name] !== value).map(([name]) => name);
      if (!policy.includes("default-src 'none'") || !policy.includes("frame-ancestors 'none'") || /script-src[^;]*(?:unsafe|\*|http|data:)/.test(policy) || (!isPage && policy.includes('-src') && policy.replace("default-src 'none'", '').includes('-src'))) lacks.push('content-security-policy');
      if (['x-powered-by', 'server', 'strict-transport-security', 'access-control-allow-origin'].some((name) => answer.headers[name] !== undefined)) lacks.push('silence');
      if (lacks.length > 0) poor.push({ method, path, status: answer.status, lacks });
    };
    for (const operation of operations) {
      const path = await pathOf(operation, own, world);
      for (const headers of [{}, owner, { authorization: 'Bearer wrong' }]) await look(operation.method, path, { ...json, ...headers }, operation.method === 'GET' ? undefined : '{"surely": "wrong"}');
    }
    for (const [method, path] of [['GET', '/'], ['GET', '/api/nowhere'], ['PATCH', '/api/runs'], ['OPTIONS', '/api/runs'], ['TRACE', '/api/runs'], ['GET', '/api/docs'], ['GET', '/api/docs/swagger-ui.css'], ['GET', '/api/openapi.json'], ['GET', '/%ff'], ['POST', '/api/session']] as const) await look(method, path, json);
    await look('POST', '/api/session', json, '{');
    expect(poor).toEqual([]);
  }, 180_000);
});
