import type { Call, Reply } from '../kit/call.js';
import type { StoredRecord } from '../kit/journal-entry.js';
import type { Route, World } from '../kit/provider.js';
import { fieldNamed, objectNamed } from './objects.js';
import type { SalesforceObject } from './objects.js';
import { bodyOf, notFound, refuse } from './shapes.js';
import { byExternalId, createRecord, deleteRecord, externalIdField, liveRecord, updateRecord, upsertRecord } from './writes.js';

export const dataRoot = '/services/data/{version}';
const single = `${dataRoot}/sobjects/{object}/{id}`;
const external = `${dataRoot}/sobjects/{object}/{field}/{value}`;

export const recordRoutes: readonly Route[] = [
  { operation: 'createRecord', method: 'POST', path: `${dataRoot}/sobjects/{object}`, handle: create },
  { operation: 'readRecord', method: 'GET', path: single, handle: (call, world) => ok(selected(call, objectOf(call), liveRecord(world, objectOf(call), call.parameter('id')))) },
  { operation: 'updateRecord', method: 'PATCH', path: single, handle: update },
  { operation: 'deleteRecord', method: 'DELETE', path: single, handle: remove },
  { operation: 'upsertRecord', method: 'PATCH', path: external, handle: upsert },
  { operation: 'readRecordByExternalId', method: 'GET', path: external, handle: readByExternalId },
  { operation: 'deleteRecordByExternalId', method: 'DELETE', path: external, handle: removeByExternalId },
];

/** v30.0 up; anything else is a resource that does not exist. */
export function versionOf(call: Call): string {
  const version = call.parameter('version');
  if (!/^v(3\d|4\d|5\d|6[0-8])\.0$/.test(version)) throw notFound();
  return version;
}

export function objectOf(call: Call): SalesforceObject {
  versionOf(call);
  const object = objectNamed(call.parameter('object'));
  if (object === undefined) throw notFound();
  return object;
}

export function recordUrl(call: Call, object: SalesforceObject, id: unknown): string {
  return `/services/data/${call.parameter('version') || 'v68.0'}/sobjects/${object.name}/${String(id)}`;
}

export function withAttributes(call: Call, object: SalesforceObject, record: StoredRecord, fields: readonly string[]): Readonly<Record<string, unknown>> {
  const picked = fields.map((name) => [name, record[name] ?? null]);
  return { attributes: { type: object.name, url: recordUrl(call, object, record['Id']) }, ...(Object.fromEntries(picked) as object) };
}

/** `?fields=A,B` narrows the answer; Id always comes along. */
function selected(call: Call, object: SalesforceObject, record: StoredRecord): unknown {
  const wanted = call.query.get('fields');
  const names = wanted === null ? object.fields.map(({ name }) => name) : [...wanted.split(',').map((name) => knownField(object, name.trim())), 'Id'];
  return withAttributes(call, object, record, [...new Set(names)]);
}

export function knownField(object: SalesforceObject, name: string): string {
  const field = fieldNamed(object, name);
  if (field === undefined) throw refuse(400, 'INVALID_FIELD', `No such column '${name}' on entity '${object.name}'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name.`);
  return field.name;
}

function create(call: Call, world: World): Reply {
  const object = objectOf(call);
  const id = createRecord(call, world, object, bodyOf(call));
  return { status: 201, body: { id, success: true, errors: [] }, headers: { location: recordUrl(call, object, id) } };
}

function update(call: Call, world: World): Reply {
  const object = objectOf(call);
  updateRecord(call, world, object, liveRecord(world, object, call.parameter('id')), bodyOf(call));
  return { status: 204 };
}

function remove(call: Call, world: World): Reply {
  const object = objectOf(call);
  deleteRecord(call, world, object, liveRecord(world, object, call.parameter('id')));
  return { status: 204 };
}

/** 201 created, 200 updated, 300 with the records' addresses when the value is not unique (then nothing is written). */
function upsert(call: Call, world: World): Reply {
  const object = objectOf(call);
  const body = bodyOf(call);
  if (call.parameter('field').toLowerCase() === 'id') {
    updateRecord(call, world, object, liveRecord(world, object, call.parameter('value')), body);
    return { status: 204 };
  }
  const field = externalIdField(object, call.parameter('field'));
  if (Object.keys(body).some((name) => name.toLowerCase() === field.name.toLowerCase())) throw refuse(400, 'INVALID_FIELD', `The ${field.name} field should not be specified in the sobject data.`, [field.name]);
  const upserted = upsertRecord(call, world, object, field, call.parameter('value'), body, call.query.get('updateOnly') === 'true');
  if (upserted.kind === 'ambiguous') return { status: 300, body: upserted.ids.map((id) => recordUrl(call, object, id)) };
  const isCreated = upserted.kind === 'created';
  return { status: isCreated ? 201 : 200, body: { id: upserted.id, success: true, errors: [], created: isCreated } };
}

function readByExternalId(call: Call, world: World): Reply {
  const object = objectOf(call);
  const found = oneByExternalId(call, world, object);
  return Array.isArray(found) ? { status: 300, body: found } : ok(selected(call, object, found as StoredRecord));
}

function removeByExternalId(call: Call, world: World): Reply {
  const object = objectOf(call);
  const found = oneByExternalId(call, world, object);
  if (Array.isArray(found)) return { status: 300, body: found };
  deleteRecord(call, world, object, found as StoredRecord);
  return { status: 204 };
}

function oneByExternalId(call: Call, world: World, object: SalesforceObject): StoredRecord | readonly string[] {
  const found = byExternalId(world, object, externalIdField(object, call.parameter('field')), call.parameter('value'));
  const [only] = found;
  if (only === undefined) throw notFound();
  return found.length === 1 ? only : found.map((record) => recordUrl(call, object, record['Id']));
}

function ok(body: unknown): Reply {
  return { status: 200, body };
}
