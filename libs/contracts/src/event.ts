import { defineError } from './error.js';
import { eventDataProblem, isInstant } from './event-schema.js';
import { headerReader, type RecordHeader } from './header.js';
import { digestOf, hashOf, runIdOf } from './identity.js';
import { eventTopicOf } from './topic.js';

export const eventSchemaVersion = 1;
/** A redriven dead letter carries both: when its record was appended first, and which letter it was. */
const firstAppendedHeader = 'tl_first_appended';
const letterIdHeader = 'tl_dead_letter';
export const eventLimits = { eventBytes: 256 * 1024, bodyBytes: 1024 * 1024, attributeBytes: 1024, nesting: 64 } as const;

/** An event that passed the gateway's checks (CloudEvents 1.0.2); data stays bytes from here on. */
export interface AcceptedEvent {
  readonly organisationId: string;
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject: string | null;
  /** RFC 3339, as the upstream gave it. */
  readonly time: string | null;
  /** Extension `assistant`: whose chain applies; null: the organisation's. */
  readonly assistantId: string | null;
  readonly data: Buffer;
  readonly digest: string;
  readonly traceparent: string | null;
}

/** What a publisher keeps: the same for every repeat of source and id. */
export interface Receipt {
  readonly run_id: string;
  readonly source: string;
  readonly id: string;
}

export const EventInvalid = defineError('event.invalid', { class: 'data', http: 400, title: 'The event is not valid', fix: 'Compare it with the type\'s JSON Schema at GET /api/event-types.' });
export const EventTypeUnknown = defineError('event.type_unknown', { class: 'data', http: 400, title: 'The event type is not known', fix: 'Use one of the types that GET /api/event-types lists, or attach a chain to this type first (PUT /api/chains/{eventType}).' });
export const EventTooLarge = defineError('event.too_large', { class: 'data', http: 413, title: 'The event is too large', fix: 'Keep each event under 256 KB and each request body under 1 MB; send large documents by reference.' });
export const EventIdReused = defineError('event.id_reused', { class: 'conflict', http: 409, title: 'The id already stands for another event', fix: 'Give each event of a source an id of its own; the first event stands.' });
export const EventUnreadable = defineError('event.unreadable', { class: 'data', http: 422, title: 'The event record cannot be read', fix: 'Publish over HTTP, or give direct producers the headers that docs/asyncapi.yaml lists.' });

export function receiptOf(event: Pick<AcceptedEvent, 'organisationId' | 'source' | 'id'>): Receipt {
  return { run_id: runIdOf(event.organisationId, event.source, event.id), source: event.source, id: event.id };
}

/** CloudEvents Kafka binding, binary mode (v1.0.2 §3.2): attributes as `ce_` headers, data as the value. */
export function encodeEvent(event: AcceptedEvent): { key: Buffer; value: Buffer; headers: RecordHeader[] } {
  const text: [string, string][] = [
    ['ce_specversion', '1.0'],
    ['ce_id', event.id],
    ['ce_source', event.source],
    ['ce_type', event.type],
    ['ce_organisationid', event.organisationId],
    ['ce_digest', event.digest],
    ['content-type', 'application/json'],
    ['tl_schema', String(eventSchemaVersion)],
  ];
  if (event.subject !== null) text.push(['ce_subject', event.subject]);
  if (event.time !== null) text.push(['ce_time', event.time]);
  if (event.assistantId !== null) text.push(['ce_assistant', event.assistantId]);
  if (event.traceparent !== null) text.push(['traceparent', event.traceparent]);
  const key = event.subject === null ? Buffer.from(runIdOf(event.organisationId, event.source, event.id)) : hashOf(event.organisationId, event.subject).subarray(0, 16);
  return { key, value: event.data, headers: text.map(([name, value]): RecordHeader => [name, Buffer.from(value)]) };
}

/**
 * Reads a record of an `events.*` topic; direct producers write there too, so everything is checked as the gateway checks it.
 * `firstAppendedAtMs` is set where a redriven dead letter carries its first append time; in any other record it is what a producer says, and not believed. Throws `event.unreadable`.
 */
export function decodeEvent(record: { readonly topic?: string; readonly value: Buffer | null; readonly headers: readonly RecordHeader[] }): AcceptedEvent & { readonly firstAppendedAtMs: number | null } {
  const headers = headerReader(record.headers, EventUnreadable);
  if (record.value === null) throw EventUnreadable.because('the value is null');
  if (headers.text('ce_specversion') !== '1.0') throw EventUnreadable.because('ce_specversion is not 1.0');
  const organisationId = headers.text('ce_organisationid');
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(organisationId)) throw EventUnreadable.because('ce_organisationid is not a UUID');
  const event = {
    organisationId,
    id: headers.text('ce_id'),
    source: headers.text('ce_source'),
    type: headers.text('ce_type'),
    subject: headers.optional('ce_subject'),
    time: headers.optional('ce_time'),
    assistantId: headers.optional('ce_assistant'),
    traceparent: headers.optional('traceparent'),
    data: record.value,
  };
  const digest = digestOf(event.type, event.subject, event.data);
  const problem = attributeProblem(event) ?? topicProblem(event.type, record.topic) ?? contentProblem(event.type, event.data);
  if (problem !== null) throw EventUnreadable.because(problem);
  return { ...event, digest, firstAppendedAtMs: headers.optional(letterIdHeader) === null || headers.optional(firstAppendedHeader) === null ? null : headers.integer(firstAppendedHeader) };
}

/** Topics are consumed, retained and authorised by type: an event in the topic of another type would get around all three. */
function topicProblem(type: string, topic: string | undefined): string | null {
  return topic === undefined || topic === eventTopicOf(type) ? null : `type ${type} belongs in ${eventTopicOf(type)}, not in ${topic}`;
}

/** What is wrong with the context attributes, or null. Shared by the gateway and the ledger. */
export function attributeProblem(event: { readonly id: string; readonly source: string; readonly type: string; readonly subject: string | null; readonly time?: string | null; readonly assistantId?: string | null }): string | null {
  for (const [name, value, required] of [['id', event.id, true], ['source', event.source, true], ['type', event.type, true], ['subject', event.subject, false], ['time', event.time ?? null, false], ['assistant', event.assistantId ?? null, false]] as const) {
    if (value === null) {
      if (required) return `${name} is missing`;
      continue;
    }
    if (value === '') return `${name} is empty`;
    if (Buffer.byteLength(value) > eventLimits.attributeBytes) return `${name} is longer than ${eventLimits.attributeBytes} bytes`;
    if (!value.isWellFormed()) return `${name} holds half of a surrogate pair`;
    // PostgreSQL text and HTTP headers hold no NUL; other control characters have no place in an identifier (CloudEvents v1.0.2 §2.2).
    if (/[\u0000-\u001f\u007f-\u009f]/.test(value)) return `${name} holds a control character`;
  }
  // CloudEvents v1.0.2 §3.1.4.
  if (event.time != null && !isInstant(event.time)) return 'time is not an RFC 3339 timestamp';
  if (!/^[a-z][a-z0-9_.-]*$/.test(event.type)) return 'type may hold lower-case letters, digits, dot, dash and underscore, and starts with a letter';
  return null;
}

/** What is wrong with the data bytes, or null: size, nesting, JSON. */
export function dataProblem(data: Buffer): string | null {
  return readData(data).problem;
}

function contentProblem(type: string, data: Buffer): string | null {
  const read = readData(data);
  return read.problem ?? eventDataProblem(type, read.parsed);
}

/** Nesting is counted on the bytes, before anything recursive sees them. */
function readData(data: Buffer): { readonly problem: string | null; readonly parsed?: unknown } {
  if (data.length > eventLimits.eventBytes) return { problem: `data is larger than ${eventLimits.eventBytes} bytes` };
  const depth = nestingOf(data);
  if (depth > eventLimits.nesting) return { problem: `data is nested ${depth} deep; ${eventLimits.nesting} is the most` };
  try {
    return { problem: null, parsed: JSON.parse(data.toString('utf8')) };
  } catch (error) {
    return { problem: `data is not JSON: ${error instanceof Error ? error.message : String(error)}` };
  }
}

/** Deepest nesting of arrays and objects in JSON text, without parsing it. */
export function nestingOf(json: Buffer): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let index = 0; index < json.length; index += 1) {
    const byte = json[index];
    if (inString) {
      if (byte === 0x5c) index += 1;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x7b || byte === 0x5b) deepest = Math.max(deepest, (depth += 1));
    else if (byte === 0x7d || byte === 0x5d) depth -= 1;
  }
  return deepest;
}
