import { signInOptions } from '../kit/authorization-server.js';
import { randomUUID } from 'node:crypto';
import type { Reply } from '../kit/call.js';
import { isObject } from '../kit/call.js';
import type { StoredRecord } from '../kit/journal-entry.js';
import type { LimitRule, Usage } from '../kit/limits.js';
import type { ProviderDefinition } from '../kit/provider.js';
import { authRoutes } from './auth.js';
import { contactType, identifierKey, identifiersOf } from './contact-record.js';
import { contactRoutes } from './contacts.js';
import { exportRoutes } from './exports.js';
import { externalSourceRoutes } from './external-sources.js';
import { noteRoutes, noteType } from './notes.js';
import { schemaRoutes } from './schemas.js';
import { errorReply } from './shapes.js';

/** 300 calls a minute for each client-credentials token (Genesys Cloud community, staff answers, read 2026-11-20). */
const perToken: LimitRule = { name: 'client.credentials.token.rate.per.minute', allowed: 300, windowMs: 60_000, window: 'fixed', countedPer: 'token' };

/** Genesys Cloud Platform API v2, as far as contacts and their notes go; shapes from the official client 262.0.0. */
export const genesys: ProviderDefinition = {
  id: 'genesys',
  title: 'Genesys Cloud',
  limits: { rules: [perToken] },
  options: { ...signInOptions, tokenLifeSeconds: 86_400, refreshTokenRotates: true },
  defaultSearchLagMs: 0,
  indexes: [
    { recordType: contactType, name: 'identifier', valuesOf: (contact) => (contact['mergedTo'] === undefined ? [...new Set(identifiersOf(contact).map(identifierKey))] : []) },
    { recordType: noteType, name: 'contact', valuesOf: (note) => [String(note['entityId'])] },
  ],
  routes: [...authRoutes, ...contactRoutes, ...noteRoutes, ...externalSourceRoutes, ...exportRoutes, ...schemaRoutes],
  newRequestId: () => randomUUID(),
  effectReference: (recordType, record) => (recordType === noteType ? referenceInText(String(record['noteText'])) : externalIdOf(record)),
  tokenOf: (call) => /^bearer\s+(\S+)$/i.exec(call.headers.authorization ?? '')?.[1],
  headers: (call, usage) => ({
    'inin-correlation-id': call.requestId,
    ...(usage === undefined ? {} : { 'inin-ratelimit-count': String(usage.used), 'inin-ratelimit-allowed': String(usage.rule.allowed), 'inin-ratelimit-reset': String(Math.ceil(usage.resetMs / 1_000)) }),
  }),
  answers: {
    unauthorised: (call) =>
      call.headers.authorization === undefined
        ? errorReply(call, 401, 'authentication.required', 'No authentication bearer token specified in authorization header.')
        : errorReply(call, 401, 'bad.credentials', 'Invalid login credentials.'),
    notFound: (call) => errorReply(call, 404, 'not.found', 'The requested resource was not found.'),
    otherMethod: (call) => errorReply(call, 405, 'method.not.allowed', 'HTTP 405 Method Not Allowed'),
    limited: (call, refusedBy) => ('rule' in refusedBy ? rateLimited(call, refusedBy) : failed(call, 503)),
    failed,
    loginPage: (call) => errorReply(call, 401, 'bad.credentials', 'Invalid login credentials.'),
  },
};

function rateLimited(call: Parameters<typeof errorReply>[0], { rule, resetMs }: Usage): Reply {
  const seconds = Math.max(1, Math.ceil(resetMs / 1_000));
  const message = `Rate limit exceeded the maximum [${rule.allowed}] requests within [${rule.windowMs / 1_000}] seconds. Retry the request in [${seconds}] seconds`;
  const limit = { key: rule.name, namespace: 'platform.api', value: rule.allowed };
  return { ...errorReply(call, 429, 'too.many.requests.retry.after', message, { limit }), headers: { 'retry-after': String(seconds) } };
}

const codes: Readonly<Record<number, readonly [code: string, message: string]>> = {
  400: ['bad.request', 'The request could not be understood by the server due to malformed syntax.'],
  401: ['bad.credentials', 'Invalid login credentials.'],
  403: ['missing.permissions', 'Unable to perform the requested action. You are missing the following permission(s): [externalContacts:contact:edit]'],
  404: ['not.found', 'The requested resource was not found.'],
  408: ['client.timeout', 'The client did not finish its request in time.'],
  409: ['request.conflict', 'The request conflicts with the current state of the resource.'],
  413: ['request.entity.too.large', 'The request is over the size limit.'],
  422: ['validation.failed', 'The request did not pass validation.'],
  429: ['too.many.requests', 'Rate limit exceeded the maximum [300] requests within [60] seconds'],
  503: ['service.unavailable', 'Service Unavailable - The server is currently unavailable (because it is overloaded or down for maintenance).'],
  504: ['request.timeout', 'The request timed out.'],
};

function failed(call: Parameters<typeof errorReply>[0], status: number): Reply {
  const [code, message] = codes[status] ?? ['internal.server.error', 'The server encountered an unexpected condition which prevented it from fulfilling the request.'];
  return errorReply(call, status, code, message);
}

/** The reference a note carries in its text: `[trunkline:…]`, `Reference: …` or `ref=…`, the first that is there. */
export function referenceInText(text: string): string | undefined {
  return (/\[trunkline[:=\s]+([^\]\s]+)\]/i.exec(text) ?? /\bref(?:erence)?\s*[:=]\s*([\w.:~+/=-]*[\w~+/=-])/i.exec(text))?.[1];
}

function externalIdOf(contact: StoredRecord): string | undefined {
  const [first] = Array.isArray(contact['externalIds']) ? (contact['externalIds'] as readonly unknown[]) : [];
  return isObject(first) && typeof first['value'] === 'string' ? first['value'] : undefined;
}
