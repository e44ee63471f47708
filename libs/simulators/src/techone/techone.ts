import { randomUUID } from 'node:crypto';
import type { Call, Reply } from '../kit/call.js';
import { isObject, textOf } from '../kit/call.js';
import type { LimitRule } from '../kit/limits.js';
import type { ProviderDefinition, Route, World } from '../kit/provider.js';
import { reportRoutes } from './reports.js';
import { errorReply, loginPage } from './shapes.js';
import { referenceField, shownBefore, workRequestRoutes, workRequestType } from './work-requests.js';

/** No limit is published; 60 a minute and two at once is what we assume of a tenant (2026-11-20). */
const perTenant: LimitRule = { name: 'tenant.calls.per.minute', allowed: 60, windowMs: 60_000, window: 'fixed', countedPer: 'organisation' };

const tokenRoute: Route = { operation: 'token', method: 'POST', path: '/oauth2/access_token', isOpen: true, handle: token };

/**
 * TechnologyOne CiAnywhere as public client code shows it; there is no public official reference. Served at the root and
 * below a tenant's base path, `/T1Default/CiAnywhere/Web/{INSTANCE}`.
 */
export const techone: ProviderDefinition = {
  id: 'techone',
  title: 'TechnologyOne',
  limits: { rules: [perTenant], concurrentCalls: 2 },
  options: {
    tokenLifeSeconds: 1_800,
    /** Some tenants' tokens come without `expires_in`. */
    sendsExpiresIn: true,
    /** `bearer`: `Authorization: Bearer T`; `bare`: `Authorization: T`. */
    authPrefix: 'bearer',
    /** Columns the council forgot in its reports, for example the one with our reference. */
    omittedColumns: [],
  },
  defaultSearchLagMs: 1_000,
  indexes: [{ recordType: workRequestType, name: 'reference', valuesOf: (record) => [record[referenceField], isObject(record[shownBefore]) ? record[shownBefore][referenceField] : undefined].filter((value) => typeof value === 'string') }],
  routes: [tokenRoute, ...workRequestRoutes, ...reportRoutes],
  routedPath: (path) => path.replace(/^\/[^/]+\/CiAnywhere\/Web\/[^/]+(?=\/)/i, ''),
  newRequestId: () => randomUUID(),
  effectReference: (_recordType, record) => textOf(record[referenceField]),
  tokenOf: (call, { options }) => (options['authPrefix'] === 'bare' ? /^(\S+)$/ : /^bearer\s+(\S+)$/i).exec(call.headers.authorization ?? '')?.[1],
  headers: (call) => ({ 'x-correlation-id': call.requestId }),
  answers: {
    unauthorised: () => ({ ...errorReply(401, 'Authorization has been denied for this request.'), headers: { 'www-authenticate': 'Bearer' } }),
    notFound: (call) => errorReply(404, `No HTTP resource was found that matches the request URI '${call.path}'.`),
    otherMethod: (call) => errorReply(405, `The requested resource does not support http method '${call.method}'.`),
    limited: (_call, refusedBy) => {
      const seconds = 'rule' in refusedBy ? Math.max(1, Math.ceil(refusedBy.resetMs / 1_000)) : 1;
      return { ...errorReply(429, 'Too many requests.'), headers: { 'retry-after': String(seconds) } };
    },
    failed: (_call, status) => errorReply(status, status >= 500 ? 'An error has occurred.' : 'The request is invalid.'),
    loginPage,
  },
};

/** Form fields only: client_id, client_secret, grant_type=client_credentials. */
function token(call: Call, world: World): Reply {
  const { form } = call;
  const { tokenLifeSeconds, sendsExpiresIn } = world.settings.options;
  if (form.get('grant_type') !== 'client_credentials') return { status: 400, body: { error: 'unsupported_grant_type' } };
  if (!world.tokens.accepts(form.get('client_id') ?? '', form.get('client_secret') ?? '')) return { status: 401, body: { error: 'invalid_client' } };
  const life = Number(tokenLifeSeconds);
  const expiry = sendsExpiresIn === true ? { expires_in: life } : {};
  return { status: 200, body: { access_token: world.tokens.issue(call.at, life * 1_000), token_type: 'Bearer', ...expiry } };
}
