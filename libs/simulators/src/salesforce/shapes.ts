import { Refusal, isObject } from '../kit/call.js';
import type { Call, JsonObject, Reply } from '../kit/call.js';

export interface SalesforceError {
  readonly message: string;
  readonly errorCode: string;
  readonly fields?: readonly string[];
}

/** REST errors are a JSON array. */
export function errorReply(status: number, ...errors: readonly SalesforceError[]): Reply {
  return { status, body: errors };
}

export function refuse(status: number, errorCode: string, message: string, fields?: readonly string[]): Refusal {
  return new Refusal(errorReply(status, { message, errorCode, ...(fields === undefined ? {} : { fields }) }));
}

export function notFound(): Refusal {
  return refuse(404, 'NOT_FOUND', 'The requested resource does not exist');
}

export function bodyOf(call: Call): JsonObject {
  const type = call.headers['content-type'];
  if (type === undefined || !/^application\/json\b/i.test(type)) throw refuse(415, 'UNSUPPORTED_MEDIA_TYPE', `Content-Type ${type ?? 'missing'} not supported`);
  let parsed: unknown;
  try {
    parsed = JSON.parse(call.rawBody);
  } catch (error) {
    throw refuse(400, 'JSON_PARSER_ERROR', `Unexpected input at [line:1, column:1]: ${error instanceof Error ? error.message : ''}`);
  }
  if (!isObject(parsed)) throw refuse(400, 'JSON_PARSER_ERROR', 'The HTTP entity body is required to be an object, but this request has another value.');
  return parsed;
}

/** Salesforce writes times as 2026-11-21T08:00:00.000+0000. */
export function dateTime(atMs: number): string {
  return new Date(atMs).toISOString().replace('Z', '+0000');
}
