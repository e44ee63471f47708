import { isPermission, type Role, roles } from '@trunkline/identity';
import { fastify } from 'fastify';
import { accessMatrix, type MatrixRow } from '../testing/access-matrix.js';
import { type Headers, MatrixWorld, type Tenant } from '../testing/matrix-world.js';
import { described, routesIn, undescribed } from '../testing/routes.js';

jest.setTimeout(120_000);

type Operation = { readonly 'x-permission'?: string };

/** Every operation of the API description × role, key and nobody × own and foreign, against the real gateway over HTTP. */
describe('who may do what', () => {
  let world: MatrixWorld;
  let own: Tenant;
  let foreign: Tenant;
  let people: ReadonlyMap<Role, string>;
  let sessions: ReadonlyMap<Role, Headers>;
  let stranger: Headers;
  let operations: Readonly<Record<string, Operation>>;

  beforeAll(async () => {
    world = await MatrixWorld.start();
    [own, foreign] = await Promise.all([world.tenant('Harbour City Council', 'escalation'), world.tenant('Elsewhere', 'low_score')]);
    people = await world.people(own);
    sessions = new Map(await Promise.all([...people].map(async ([role, userId]) => [role, (await world.signIn(userId)).headers] as const)));
    stranger = (await world.signIn(await world.newStranger())).headers;
    const document = await world.gateway.send('GET', '/api/openapi.json', undefined, nobody);
    operations = Object.fromEntries(Object.entries(document.body['paths'] as Record<string, Record<string, Operation>>).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation])));
  }, 120_000);
  afterAll(() => world.close(), 60_000);
  afterEach(() => expect(world.gateway.bugs).toEqual([]));

  const nobody: Headers = { authorization: undefined };

  it('has one row for each operation, and no row without one', () => {
    expect(Object.keys(accessMatrix).sort()).toEqual(Object.keys(operations).sort());
  });

  it('describes every route that the router knows, and none besides', () => {
    expect(world.gateway.routes).toEqual([...described(Object.keys(operations)), ...undescribed].sort());
  });

  it('would see a route that nobody described, wherever it stands and whatever its method', () => {
    const router = fastify();
    const made = ['GET /api/runs', 'GET /api/runs/:id', 'POST /api/runs/:id/replay', 'DELETE /api/runs/:id', 'PATCH /api/runs/:id', 'GET /api/run', 'GET /x', 'PUT /api/runs/:run/steps/:step', 'GET /api/keys', 'OPTIONS /api/keys', 'HEAD /only'];
    for (const route of made) {
      const [method = '', url = ''] = route.split(' ');
      router.route({ method, url, handler: () => null });
    }
    expect(routesIn(router.printRoutes({ commonPrefix: false }))).toEqual(made.map((route) => route.replaceAll(/:\w+/g, '{}')).sort());
  });

  it('asks each operation for the permission of its row', () => {
    for (const [name, { scope, roles: may }] of Object.entries(accessMatrix)) expect([name, operations[name]?.['x-permission']]).toEqual([name, scope ?? (may === 'everybody' ? 'nobody' : 'signed-in')]);
  });

  it('asks what has an effect for a permission to execute or to configure, never for one to read', () => {
    const looking = new Set(['POST /api/chains/{eventType}/check']);
    const lax = Object.entries(operations).filter(([name, operation]) => !name.startsWith('GET ') && !looking.has(name) && isPermission(operation['x-permission'] ?? '') && operation['x-permission']?.endsWith(':read'));
    expect(lax).toEqual([]);
  });

  describe.each(Object.entries(accessMatrix))('%s', (name, row) => {
    const [method = ''] = name.split(' ');
    const isOpen = row.roles === 'everybody';
    const may = (role: Role): boolean => isOpen || row.roles.split(' ').includes(role);

    it('by each role, about the own organisation and another', async () => {
      for (const role of roles) {
        const headers = row.endsSession === true ? (await world.signIn(people.get(role) ?? '')).headers : (sessions.get(role) ?? {});
        expect([role, 'own', await answer(own, headers)]).toEqual([role, 'own', may(role) ? row.own : 403]);
        if (row.foreign !== null) expect([role, 'foreign', await answer(foreign, headers)]).toEqual([role, 'foreign', may(role) ? row.foreign : 403]);
      }
    });

    it('by a key with its scope, with every other scope, and with none', async () => {
      const { scoped, others } = await world.keysAround(own, row.scope ?? 'runs:read');
      const passes = isOpen ? row.own : row.scope === null ? 403 : (row.scoped ?? row.own);
      expect(['its scope', await answer(own, scoped)]).toEqual(['its scope', passes]);
      if (row.foreign !== null) expect(['foreign', await answer(foreign, scoped)]).toEqual(['foreign', row.scope === null ? 403 : row.foreign]);
      expect(['every other', await answer(own, others)]).toEqual(['every other', isOpen ? row.own : 403]);
    });

    it('by nobody, by a wrong key, by an ended session and by somebody without an organisation', async () => {
      const expected = (status: number): number => (isOpen ? row.own : status);
      expect(['nobody', await answer(own, nobody)]).toEqual(['nobody', expected(401)]);
      expect(['wrong key', await answer(own, { authorization: `Bearer tl_${'0'.repeat(16)}_${'A'.repeat(43)}` })]).toEqual(['wrong key', expected(401)]);
      const ended = { cookie: `trunkline_session=ts_${'A'.repeat(43)}`, 'x-csrf-token': 'x' };
      expect(['ended session', await answer(own, ended)]).toEqual(['ended session', expected(method === 'GET' ? 401 : 403)]);
      if (row.scope !== null) expect(['no organisation', await answer(own, stranger)]).toEqual(['no organisation', 403]);
    });

    if (!isOpen && method !== 'GET') {
      it('not by a page of another site, nor without the token of the session', async () => {
        const signedIn = (await world.signIn(people.get('owner') ?? '')).headers;
        const { 'x-csrf-token': _, ...bare } = signedIn;
        expect(['no token', await answer(own, bare)]).toEqual(['no token', 403]);
        expect(['cross-site', await answer(own, { ...signedIn, 'sec-fetch-site': 'cross-site' })]).toEqual(['cross-site', 403]);
        expect(['other origin', await answer(own, { ...signedIn, origin: 'https://evil.example' })]).toEqual(['other origin', 403]);
      });
    }

    async function answer(tenant: Tenant, headers: Headers): Promise<number> {
      const path = (await (row as MatrixRow).path?.(tenant, world)) ?? name.split(' ')[1] ?? '';
      return (await world.gateway.send(method, path, row.body, { ...nobody, ...headers })).status;
    }
  });
});
