import { randomUUID } from 'node:crypto';
import type { Call, ProviderDefinition, Reply, Route, World } from '@trunkline/simulators';

type Kind = 'keyed' | 'upserted' | 'searched' | 'once';

const routes: readonly Route[] = [
  { operation: 'token', method: 'POST', path: '/token', isOpen: true, handle: token },
  { operation: 'me', method: 'GET', path: '/me', handle: () => ({ status: 200, body: { id: 'me' } }) },
  { operation: 'writeKeyed', method: 'POST', path: '/keyed', handle: keyed },
  { operation: 'writeUpserted', method: 'PUT', path: '/upserted/{reference}', handle: upserted },
  { operation: 'writeSearched', method: 'POST', path: '/searched', handle: (call, world) => created(call, world, 'searched', referenceIn(call)) },
  { operation: 'searchSearched', method: 'GET', path: '/searched', handle: search },
  { operation: 'writeOnce', method: 'POST', path: '/once', handle: (call, world) => created(call, world, 'once', referenceIn(call)) },
];

/** The rehearsal provider's own side. A path may stand below a customer's name, so that one simulator serves several integrations told apart by it. */
export const simulatedRehearsal: ProviderDefinition = {
  id: 'rehearsal',
  title: 'Rehearsal',
  limits: { rules: [{ name: 'calls', allowed: 1_000_000, windowMs: 60_000, window: 'fixed', countedPer: 'organisation' }] },
  options: { tokenLifeSeconds: 600 },
  defaultSearchLagMs: 0,
  indexes: (['keyed', 'upserted', 'searched', 'once'] as const).map((kind) => ({ recordType: kind, name: 'reference', valuesOf: (record) => [String(record['reference'])] })),
  routes,
  routedPath: (path) => path.replace(/^\/at-[a-z]+(?=\/)/, ''),
  newRequestId: () => randomUUID(),
  effectReference: (_type, record) => String(record['reference']),
  tokenOf: (call) => /^bearer\s+(\S+)$/i.exec(call.headers.authorization ?? '')?.[1],
  headers: (call) => ({ 'x-request-id': call.requestId }),
  answers: {
    unauthorised: () => problem(401, 'unauthorised'),
    notFound: () => problem(404, 'not_found'),
    otherMethod: () => problem(405, 'method'),
    limited: () => ({ ...problem(429, 'limited'), headers: { 'retry-after': '1' } }),
    failed: (_call, status) => problem(status, 'failed'),
    loginPage: () => ({ status: 200, text: '<html><body>Log in</body></html>', contentType: 'text/html' }),
  },
};

function problem(status: number, code: string): Reply {
  return { status, body: { code, message: `${status}` } };
}

function token(call: Call, world: World): Reply {
  const { form } = call;
  if (!world.tokens.accepts(form.get('client_id') ?? '', form.get('client_secret') ?? '')) return { status: 401, body: { error: 'invalid_client' } };
  const lifeSeconds = Number(world.settings.options['tokenLifeSeconds']);
  return { status: 200, body: { access_token: world.tokens.issue(call.at, lifeSeconds * 1_000), token_type: 'Bearer', expires_in: lifeSeconds } };
}

function keyed(call: Call, world: World): Reply {
  const reference = String(call.headers['idempotency-key'] ?? '');
  const [known] = world.store.find('keyed', 'reference', reference);
  if (known === undefined) return created(call, world, 'keyed', reference);
  return known['text'] === textIn(call) ? { status: 201, body: { id: known['id'] } } : problem(422, 'key_reused');
}

function upserted(call: Call, world: World): Reply {
  const reference = call.parameter('reference');
  const [known] = world.store.find('upserted', 'reference', reference);
  if (known === undefined) return created(call, world, 'upserted', reference);
  const record = { ...known, text: textIn(call) };
  world.commit(call, { kind: 'updated', recordType: 'upserted', recordId: String(known['id']), body: bodyOf(call), record });
  return { status: 200, body: { id: known['id'] } };
}

function created(call: Call, world: World, kind: Kind, reference: string): Reply {
  const id = `${kind}-${world.store.createdCount(kind) + 1}`;
  world.commit(call, { kind: 'created', recordType: kind, recordId: id, body: bodyOf(call), record: { id, reference, text: textIn(call), shownFrom: call.at + call.searchLagMs } });
  return { status: 201, body: { id } };
}

function search(call: Call, world: World): Reply {
  const rows = world.store.find('searched', 'reference', call.query.get('reference') ?? '').filter((record) => Number(record['shownFrom']) <= call.at);
  return { status: 200, body: { rows: rows.map(({ id, reference }) => ({ id, reference })) } };
}

function bodyOf(call: Call): Readonly<Record<string, unknown>> {
  return JSON.parse(call.rawBody) as Record<string, unknown>;
}

function textIn(call: Call): string {
  return String(bodyOf(call)['text']);
}

function referenceIn(call: Call): string {
  return String(bodyOf(call)['reference']);
}
