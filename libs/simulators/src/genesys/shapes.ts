import { randomUUID } from 'node:crypto';
import { Refusal } from '../kit/call.js';
import type { Call, JsonObject, Reply } from '../kit/call.js';
import { isObject } from '../kit/call.js';
import type { StoredRecord } from '../kit/journal-entry.js';

/** ErrorBody as in the official client (purecloud-platform-client-v2 262.0.0). `contextId` is the correlation id. */
export function errorReply(call: Call, status: number, code: string, message: string, more: JsonObject = {}): Reply {
  return { status, body: { message, code, status, contextId: call.requestId, details: [], errors: [], ...more } };
}

export function refuse(call: Call, status: number, code: string, message: string, more?: JsonObject): Refusal {
  return new Refusal(errorReply(call, status, code, message, more));
}

export function notFound(call: Call, entityName?: string, entityId?: string): Refusal {
  return refuse(call, 404, 'not.found', 'The requested resource was not found.', entityName === undefined ? {} : { entityName, entityId });
}

export function bodyOf(call: Call): JsonObject {
  const parsed = parse(call);
  if (!isObject(parsed)) throw refuse(call, 400, 'bad.request', 'The request could not be understood by the server due to malformed syntax.');
  return parsed;
}

function parse(call: Call): unknown {
  const type = call.headers['content-type'] ?? 'application/json';
  if (!type.toLowerCase().startsWith('application/json')) throw refuse(call, 415, 'unsupported.media.type', `Unsupported Media Type - Content-Type was ${type}`);
  try {
    return JSON.parse(call.rawBody);
  } catch {
    // The provider's answer says all there is to say about it.
    throw refuse(call, 400, 'bad.request', 'The request could not be understood by the server due to malformed syntax.');
  }
}

export function newId(): string {
  return randomUUID();
}

export function contactPath(id: string): string {
  return `/api/v2/externalcontacts/contacts/${id}`;
}

export interface PageRequest {
  readonly pageSize: number;
  readonly pageNumber: number;
}

/** Page-number listings reach only the first 1,000 rows (client documentation of the listing operations, 262.0.0). */
export function pageOf(call: Call, given: { readonly pageSize?: unknown; readonly pageNumber?: unknown } = queryPage(call)): PageRequest {
  const pageSize = given.pageSize === undefined ? 20 : given.pageSize;
  const pageNumber = given.pageNumber === undefined ? 1 : given.pageNumber;
  if (!isPositive(pageSize) || pageSize > 100) throw refuse(call, 400, 'invalid.value', 'Value [pageSize] must be between 1 and 100.');
  if (!isPositive(pageNumber)) throw refuse(call, 400, 'invalid.value', 'Value [pageNumber] must be 1 or more.');
  if (pageSize * pageNumber > 1_000) throw refuse(call, 400, 'bad.request', 'pageNumber * pageSize must be <= 1,000');
  return { pageSize, pageNumber };
}

function queryPage(call: Call): { readonly pageSize: number; readonly pageNumber: number } {
  return { pageSize: call.wholeNumber('pageSize', 20), pageNumber: call.wholeNumber('pageNumber', 1) };
}

function isPositive(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0;
}

export function listing(call: Call, all: readonly StoredRecord[], { pageSize, pageNumber }: PageRequest): Reply {
  const pageCount = Math.ceil(all.length / pageSize);
  const uri = (page: number): string => {
    const query = new URLSearchParams(call.query);
    query.set('pageSize', String(pageSize));
    query.set('pageNumber', String(page));
    return `${call.path}?${query.toString()}`;
  };
  const entities = all.slice((pageNumber - 1) * pageSize, pageNumber * pageSize);
  return {
    status: 200,
    body: {
      entities,
      pageSize,
      pageNumber,
      total: all.length,
      firstUri: uri(1),
      selfUri: uri(pageNumber),
      ...(pageNumber < pageCount ? { nextUri: uri(pageNumber + 1) } : {}),
      ...(pageNumber > 1 ? { previousUri: uri(pageNumber - 1) } : {}),
      lastUri: uri(Math.max(1, pageCount)),
      pageCount,
    },
  };
}
