import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders } from 'node:http';
import { type AcceptedEvent, EventInvalid, EventTooLarge, type TrunklineError, attributeProblem, digestOf, eventDataProblem, eventLimits, nestingOf } from '@trunkline/contracts';
import { BodyNotJson, ContentTypeUnknown } from '../edge/errors.js';
import { mediaTypeOf } from '../edge/media-type.js';
import { arrayElements, objectMembers } from './json-slices.js';

/** One event of a request: read and checked in itself, or the reason why not. Whether its type is known is asked later. */
export type ReadEvent = { readonly event: AcceptedEvent; readonly refusal: null } | { readonly event: null; readonly refusal: TrunklineError };

export interface PublishRequest {
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** A structured event's object is one level around its data. */
const envelopeNesting = 1;
const noData = Buffer.from('null');
const wellFormedTraceparent = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** Reads a request as CloudEvents 1.0.2 over HTTP: structured, batched or binary. Throws when the request as a whole cannot be read; a batch refuses events one by one. */
export function readEvents(request: PublishRequest, organisationId: string): { readonly batched: boolean; readonly events: readonly ReadEvent[] } {
  const mediaType = mediaTypeOf(request.headers['content-type']);
  if (mediaType === null) throw ContentTypeUnknown.because(`content-type ${JSON.stringify(request.headers['content-type'] ?? 'missing')} is not understood`);
  if (!isUtf8(request.body)) throw BodyNotJson.because('the body is not UTF-8');
  const traceparent = traceparentOf(request.headers['traceparent']);
  if (mediaType === 'application/cloudevents-batch+json') {
    const elements = arrayElements(request.body);
    if (elements === null) throw BodyNotJson.because('a batch is a JSON array of events');
    if (elements.length === 0) throw EventInvalid.because('the batch is empty');
    return { batched: true, events: elements.map((json) => attempt(() => structuredEvent(json, organisationId, traceparent))) };
  }
  const isBinary = mediaType === 'application/json' && request.headers['ce-specversion'] !== undefined;
  if (isBinary) return { batched: false, events: [attempt(() => binaryEvent(request, organisationId, traceparent))] };
  if (mediaType === 'application/cloudevents+json' || mediaType === 'application/json') return { batched: false, events: [attempt(() => structuredEvent(request.body, organisationId, traceparent))] };
  throw ContentTypeUnknown.because(`content-type ${JSON.stringify(mediaType)} is not one an event travels in`);
}

function attempt(read: () => AcceptedEvent): ReadEvent {
  try {
    return { event: read(), refusal: null };
  } catch (error) {
    if (EventInvalid.matches(error) || EventTooLarge.matches(error) || BodyNotJson.matches(error)) return { event: null, refusal: error };
    throw error;
  }
}

function structuredEvent(json: Buffer, organisationId: string, traceparent: string | null): AcceptedEvent {
  const parsed = parse(json, eventLimits.nesting + envelopeNesting);
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw EventInvalid.because('an event is a JSON object; send several as application/cloudevents-batch+json');
  const members = objectMembers(json);
  if (members === null) throw EventInvalid.because('an attribute is given twice');
  const attribute = (name: string): string | null => textAttribute(parsed, name);
  if (members.has('data_base64')) throw EventInvalid.because('data_base64 is not taken; send data as JSON');
  checkDataContentType(attribute('datacontenttype'));
  return checked({
    organisationId,
    specVersion: attribute('specversion'),
    attribute,
    data: members.get('data') ?? noData,
    parsedData: 'data' in parsed ? parsed.data : null,
    traceparent: traceparent ?? traceparentOf(attribute('traceparent') ?? undefined),
  });
}

function binaryEvent(request: PublishRequest, organisationId: string, traceparent: string | null): AcceptedEvent {
  const parsedData = request.body.length === 0 ? null : parse(request.body, eventLimits.nesting);
  const attribute = (name: string): string | null => headerAttribute(request.headers[`ce-${name}`], name);
  return checked({ organisationId, specVersion: attribute('specversion'), attribute, data: request.body.length === 0 ? noData : request.body, parsedData, traceparent });
}

interface Unchecked {
  readonly organisationId: string;
  readonly specVersion: string | null;
  attribute(name: string): string | null;
  readonly data: Buffer;
  readonly parsedData: unknown;
  readonly traceparent: string | null;
}

function checked(unchecked: Unchecked): AcceptedEvent {
  const { organisationId, attribute, data } = unchecked;
  if (unchecked.specVersion === null) throw EventInvalid.because('specversion is missing; CloudEvents 1.0 is understood');
  if (unchecked.specVersion !== '1.0') throw EventInvalid.because('specversion is not 1.0');
  // S5: whose event it is comes from the key alone.
  if (attribute('organisationid') !== null) throw EventInvalid.because('organisationid is set by the server and may not be sent');
  const context = { id: attribute('id') ?? '', source: attribute('source') ?? '', type: attribute('type') ?? '', subject: attribute('subject'), time: attribute('time'), assistantId: attribute('assistant') };
  for (const name of ['id', 'source', 'type'] as const) if (attribute(name) === null) throw EventInvalid.because(`${name} is missing`);
  const problem = attributeProblem(context) ?? eventDataProblem(context.type, unchecked.parsedData);
  if (problem !== null) throw EventInvalid.because(problem);
  return { ...context, organisationId, data, digest: digestOf(context.type, context.subject, data), traceparent: unchecked.traceparent };
}

/** Size and nesting are measured on the bytes, before anything recursive sees them. */
function parse(json: Buffer, nesting: number): unknown {
  if (json.length > eventLimits.eventBytes) throw EventTooLarge.because(`the event is ${json.length} bytes; ${eventLimits.eventBytes} is the most`);
  if (nestingOf(json) > nesting) throw EventInvalid.because(`the data is nested deeper than ${eventLimits.nesting} levels`);
  try {
    return JSON.parse(json.toString('utf8'));
  } catch (error) {
    throw BodyNotJson.from(error, positionOf(error));
  }
}

/** V8's message quotes the body; what leaves here names the place only. */
function positionOf(error: unknown): string {
  const match = error instanceof Error ? /at position (\d+)/.exec(error.message) : null;
  return match === null ? 'the JSON ends too early or holds something that is not JSON' : `not JSON at byte position ${match[1]}`;
}

function textAttribute(event: object, name: string): string | null {
  const value: unknown = Object.hasOwn(event, name) ? Reflect.get(event, name) : null;
  if (value === null) return null;
  if (typeof value !== 'string') throw EventInvalid.because(`${name} is not a string`);
  return value;
}

/** CloudEvents HTTP binding 1.0.2 §3.1.3.2: values are percent-encoded, perhaps in double quotes. */
function headerAttribute(value: string | string[] | undefined, name: string): string | null {
  if (value === undefined) return null;
  if (Array.isArray(value)) throw EventInvalid.because(`the header ce-${name} is given twice`);
  const unquoted = /^"(.*)"$/.exec(value)?.[1]?.replace(/\\(.)/g, '$1') ?? value;
  try {
    return decodeURIComponent(unquoted);
  } catch (error) {
    throw EventInvalid.from(error, `the header ce-${name} is not percent-encoded UTF-8`);
  }
}

function checkDataContentType(contentType: string | null): void {
  if (contentType === null) return;
  const mediaType = mediaTypeOf(contentType);
  if (mediaType !== 'application/json' && mediaType?.endsWith('+json') !== true) throw EventInvalid.because('datacontenttype is not JSON');
}

/** W3C Trace Context; a malformed one is dropped, never passed on. */
function traceparentOf(value: string | string[] | undefined): string | null {
  return typeof value === 'string' && wellFormedTraceparent.test(value) ? value : null;
}
