import { type ErrorDefinition, TrunklineError } from '@trunkline/contracts';
import { Unauthenticated } from '@trunkline/identity';
import { isDatabaseAway, organisationEntity } from '@trunkline/storage';
import { BodyNotJson, BodyTooLarge, ContentTypeUnknown, DatabaseUnavailable, Internal, RequestInvalid, RequestTimedOut, RouteUnknown } from './errors.js';

/** RFC 9457 problem details, with the registered code and the way out as extension members. Never a stack, never a secret. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly fix: string;
  readonly [extension: string]: unknown;
}

export function problemOf(error: TrunklineError): Problem {
  return problemFrom(error.definition, error.detail);
}

export function problemFrom(definition: ErrorDefinition, detail: string, extensions: Readonly<Record<string, unknown>> = {}): Problem {
  return { type: `urn:trunkline:problem:${definition.code}`, title: definition.title, status: definition.http, detail, code: definition.code, fix: definition.fix, ...extensions };
}

/** What a framework or driver threw, as a registered error; what is not recognised is ours (`gateway.internal`) and says nothing of itself. */
export function registered(error: unknown): TrunklineError {
  if (error instanceof TrunklineError) return error;
  const { code, status, message } = shapeOf(error);
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return BodyTooLarge.from(error, 'the body is larger than 1 MB and was not read');
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return ContentTypeUnknown.from(error, 'the content-type header is malformed or not understood');
  if (code === 'FST_ERR_CTP_INVALID_CONTENT_LENGTH') return RequestInvalid.from(error, 'the body is not as long as content-length says');
  if (code === 'FST_ERR_CTP_EMPTY_JSON_BODY' || code === 'FST_ERR_CTP_INVALID_JSON_BODY') return BodyNotJson.from(error, message);
  if (isDatabaseAway(error)) return DatabaseUnavailable.from(error, 'the database is away, starting or full');
  if (isOrganisationGone(error)) return Unauthenticated.from(error, 'it belonged to an organisation that has left');
  if (status === 404) return RouteUnknown.from(error, message);
  if (status === 408) return RequestTimedOut.from(error, 'the request took too long to arrive');
  if (status === 413) return BodyTooLarge.from(error, 'the body is larger than 1 MB and was not read');
  if (status === 415) return ContentTypeUnknown.from(error, message);
  if (status >= 400 && status < 500) return RequestInvalid.from(error, message);
  return Internal.from(error, 'the request was not completed');
}

/** A key is remembered for some seconds, also that of an organisation that leaves in them: its row is missed where it is read, or by a row that refers to it. */
function isOrganisationGone(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  if ('entityClass' in error) return error.entityClass === organisationEntity.options.name;
  return 'code' in error && error.code === '23503' && 'constraint' in error && String(error.constraint).endsWith('_organisation_id_fkey');
}

function shapeOf(error: unknown): { readonly code: string; readonly status: number; readonly message: string } {
  if (typeof error !== 'object' || error === null) return { code: '', status: 0, message: '' };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const message = error instanceof Error ? error.message : '';
  const fromNest = 'getStatus' in error && typeof error.getStatus === 'function' ? Number(error.getStatus()) : 0;
  const fromFastify = 'statusCode' in error && typeof error.statusCode === 'number' ? error.statusCode : 0;
  return { code, status: fromNest || fromFastify, message };
}
