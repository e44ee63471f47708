import { randomUUID } from 'node:crypto';
import { textOf } from '../kit/call.js';
import { signInOptions } from '../kit/authorization-server.js';
import type { LimitRule } from '../kit/limits.js';
import type { ProviderDefinition } from '../kit/provider.js';
import { authRoutes } from './auth.js';
import { collectionRoutes } from './collections.js';
import { compositeRoutes } from './composite.js';
import { describeRoutes } from './describe.js';
import { referenceFields, salesforceObjects } from './objects.js';
import { queryRoutes } from './query.js';
import { recordRoutes } from './records.js';
import { searchRoutes } from './search.js';
import { errorReply } from './shapes.js';

/** 100,000 calls in any 24 hours: the Enterprise allocation before licences (Salesforce limits page, read 2026-08-13). */
const perDay: LimitRule = { name: 'DailyApiRequests', allowed: 100_000, windowMs: 86_400_000, window: 'rolling', countedPer: 'organisation' };

const messages: Readonly<Record<number, readonly [errorCode: string, message: string]>> = {
  400: ['MALFORMED_QUERY', 'The request could not be understood.'],
  401: ['INVALID_SESSION_ID', 'Session expired or invalid'],
  403: ['REQUEST_LIMIT_EXCEEDED', 'TotalRequests Limit exceeded.'],
  404: ['NOT_FOUND', 'The requested resource does not exist'],
  405: ['METHOD_NOT_ALLOWED', 'HTTP Method not allowed. Allowed are GET,POST,PATCH,DELETE'],
  409: ['UNABLE_TO_LOCK_ROW', 'unable to obtain exclusive access to this record'],
  415: ['UNSUPPORTED_MEDIA_TYPE', 'The entity in the request is in a format that is not supported.'],
  500: ['UNKNOWN_EXCEPTION', 'An unexpected error occurred. Please include this ErrorId if you contact support.'],
  503: ['SERVER_UNAVAILABLE', 'The server is currently unavailable.'],
};

const dataRoutes = [...describeRoutes, ...recordRoutes, ...queryRoutes(), ...searchRoutes, ...collectionRoutes];

/** Salesforce REST API v68.0 on Task, Case and Contact, as jsforce uses it. */
export const salesforce: ProviderDefinition = {
  id: 'salesforce',
  title: 'Salesforce',
  limits: { rules: [perDay] },
  options: {
    ...signInOptions,
    /** What the token answer says instead of the address it was asked at. */
    instanceUrl: null,
    /** The organisation's session time-out: two hours. */
    sessionSeconds: 7_200,
    /** Query pages come shorter than asked for. */
    shortPages: false,
  },
  defaultSearchLagMs: 0,
  tokenPrefix: '00D5g0000000001!',
  indexes: salesforceObjects.flatMap((object) =>
    object.fields.filter(({ isExternalId }) => isExternalId === true).map(({ name }) => ({
      recordType: object.name,
      name,
      valuesOf: (record) => (record['IsDeleted'] === true || typeof record[name] !== 'string' || record[name] === '' ? [] : [record[name].toLowerCase()]),
    })),
  ),
  routes: [...authRoutes, ...dataRoutes, ...compositeRoutes(dataRoutes)],
  /** `/services/data/` and a trailing slash on collections mean the same. */
  routedPath: (path) => (path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path),
  newRequestId: () => randomUUID(),
  effectReference: (_recordType, record) => [...referenceFields, 'Legacy_Id__c'].map((name) => textOf(record[name])).find((value) => value !== undefined),
  tokenOf: (call) => /^(?:bearer|oauth)\s+(\S+)$/i.exec(call.headers.authorization ?? '')?.[1] ?? (call.path.startsWith('/id/') ? (call.query.get('oauth_token') ?? undefined) : undefined),
  headers: (call, usage) => ({ 'x-request-id': call.requestId, ...(usage === undefined ? {} : { 'sforce-limit-info': `api-usage=${usage.used}/${usage.rule.allowed}` }) }),
  answers: {
    unauthorised: () => failed(401),
    notFound: () => failed(404),
    otherMethod: (call, allowed) => errorReply(405, { errorCode: 'METHOD_NOT_ALLOWED', message: `HTTP Method '${call.method}' not allowed. Allowed are ${allowed.join(',')}` }),
    /** Neither Retry-After nor any other hint. */
    limited: () => failed(403),
    failed: (_call, status) => failed(status),
    loginPage: () => ({ status: 200, text: '<html><head><title>Login | Salesforce</title></head><body>Log in</body></html>', contentType: 'text/html; charset=UTF-8' }),
  },
};

function failed(status: number): ReturnType<typeof errorReply> {
  const [errorCode, message] = messages[status] ?? ['UNKNOWN_EXCEPTION', 'An unexpected error occurred.'];
  return errorReply(status, { message, errorCode });
}
