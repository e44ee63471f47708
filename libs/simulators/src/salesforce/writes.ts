import { Refusal, isObject } from '../kit/call.js';
import type { Call, JsonObject } from '../kit/call.js';
import type { StoredRecord } from '../kit/journal-entry.js';
import type { World } from '../kit/provider.js';
import { fieldNamed } from './objects.js';
import type { ObjectField, SalesforceObject } from './objects.js';
import { fullId, recordId } from './record-id.js';
import { dateTime, notFound, refuse } from './shapes.js';

const ownerId = recordId('005', 1);

export function liveRecord(world: World, object: SalesforceObject, id: string): StoredRecord {
  const record = world.store.get(object.name, fullId(id));
  if (record === undefined) throw notFound();
  if (record['IsDeleted'] === true) throw refuse(404, 'ENTITY_IS_DELETED', 'entity is deleted', []);
  return record;
}

/** Live records whose external id has this value. Comparison ignores case, as text fields do unless made otherwise. */
export function byExternalId(world: World, object: SalesforceObject, field: ObjectField, value: string): readonly StoredRecord[] {
  return world.store.find(object.name, field.name, value.toLowerCase());
}

export function createRecord(call: Call, world: World, object: SalesforceObject, body: JsonObject, key: JsonObject = {}): string {
  const fields = { ...checkedFields(object, body), ...key };
  const missing = object.fields.filter(({ isRequired, name }) => isRequired === true && (fields[name] === undefined || fields[name] === null || fields[name] === ''));
  if (missing.length > 0) throw refuse(400, 'REQUIRED_FIELD_MISSING', `Required fields are missing: [${missing.map(({ name }) => name).join(', ')}]`, missing.map(({ name }) => name));
  refuseDuplicate(world, object, fields);
  const ordinal = world.store.createdCount(object.name) + 1;
  const id = recordId(object.keyPrefix, ordinal);
  const now = dateTime(call.at);
  const defaults = Object.fromEntries(object.fields.filter((field) => field.default !== undefined).map((field) => [field.name, field.default]));
  const numbered = object.autoNumber === undefined ? {} : { [object.autoNumber]: String(1_000 + ordinal).padStart(8, '0') };
  const record = derived(object, { ...defaults, OwnerId: ownerId, ...fields, ...numbered, Id: id, IsDeleted: false, CreatedDate: now, LastModifiedDate: now, SystemModstamp: now });
  world.commit(call, { kind: 'created', recordType: object.name, recordId: id, body: { ...body, ...key }, record });
  return id;
}

export function updateRecord(call: Call, world: World, object: SalesforceObject, before: StoredRecord, body: JsonObject): void {
  const fields = checkedFields(object, body);
  const emptied = object.fields.find(({ isRequired, name }) => isRequired === true && name in fields && (fields[name] === null || fields[name] === ''));
  if (emptied !== undefined) throw refuse(400, 'REQUIRED_FIELD_MISSING', `Required fields are missing: [${emptied.name}]`, [emptied.name]);
  refuseDuplicate(world, object, fields, before);
  const now = dateTime(call.at);
  const record = derived(object, { ...before, ...fields, LastModifiedDate: now, SystemModstamp: now });
  world.commit(call, { kind: 'updated', recordType: object.name, recordId: String(before['Id']), body, record });
}

/** Into the recycle bin: queryAll still shows it. */
export function deleteRecord(call: Call, world: World, object: SalesforceObject, before: StoredRecord): void {
  const now = dateTime(call.at);
  world.commit(call, { kind: 'deleted', recordType: object.name, recordId: String(before['Id']), body: null, record: { ...before, IsDeleted: true, LastModifiedDate: now, SystemModstamp: now } });
}

export type Upserted = { readonly kind: 'created' | 'updated'; readonly id: string } | { readonly kind: 'ambiguous'; readonly ids: readonly string[] };

/** One atomic request on a unique key: the record with this external id is updated, or made. */
export function upsertRecord(call: Call, world: World, object: SalesforceObject, field: ObjectField, value: string, body: JsonObject, isUpdateOnly = false): Upserted {
  const found = byExternalId(world, object, field, value);
  const [only] = found;
  if (found.length > 1) return { kind: 'ambiguous', ids: found.map((record) => String(record['Id'])) };
  if (only !== undefined) {
    updateRecord(call, world, object, only, body);
    return { kind: 'updated', id: String(only['Id']) };
  }
  if (isUpdateOnly) throw notFound();
  return { kind: 'created', id: createRecord(call, world, object, body, { [field.name]: value }) };
}

export function externalIdField(object: SalesforceObject, name: string): ObjectField {
  const field = fieldNamed(object, name);
  if (field?.isExternalId !== true) throw refuse(404, 'NOT_FOUND', `Provided external ID field does not exist or is not accessible: ${name}`);
  return field;
}

function checkedFields(object: SalesforceObject, body: JsonObject): JsonObject {
  const fields: [string, unknown][] = [];
  for (const [name, value] of Object.entries(body)) {
    if (name === 'attributes') continue;
    const field = fieldNamed(object, name);
    if (field === undefined) throw refuse(400, 'INVALID_FIELD', `No such column '${name}' on sobject of type ${object.name}`);
    if (field.isReadOnly === true) throw refuse(400, 'INVALID_FIELD_FOR_INSERT_UPDATE', `Unable to create/update fields: ${field.name}. Please check the security settings of this field and verify that it is read/write for your profile or permission set.`, [field.name]);
    fields.push([field.name, checkedValue(object, field, value)]);
  }
  return Object.fromEntries(fields);
}

function checkedValue(object: SalesforceObject, field: ObjectField, value: unknown): unknown {
  if (value === null) return null;
  if (isObject(value) || Array.isArray(value)) throw refuse(400, 'JSON_PARSER_ERROR', `Cannot deserialize instance of ${field.type} from the value of ${field.name}`);
  if (!fits(field, value)) throw refuse(400, 'JSON_PARSER_ERROR', `Cannot deserialize instance of ${field.type} from ${typeof value} value ${JSON.stringify(value)}`);
  const isTooLong = field.length !== undefined && typeof value === 'string' && value.length > field.length;
  if (isTooLong) throw refuse(400, 'STRING_TOO_LONG', `${field.label}: data value too large: ${value.slice(0, 40)} (max length=${field.length})`, [field.name]);
  if (field.type === 'reference' && !/^[A-Za-z0-9]{15}([A-Za-z0-9]{3})?$/.test(String(value))) throw refuse(400, 'MALFORMED_ID', `${object.name}: id value of incorrect type: ${String(value)}`, [field.name]);
  return field.type === 'reference' ? fullId(String(value)) : value;
}

function fits({ type }: ObjectField, value: unknown): boolean {
  switch (type) {
    case 'boolean':
      return typeof value === 'boolean';
    case 'int':
      return Number.isInteger(Number(value)) && value !== '';
    case 'double':
      return Number.isFinite(Number(value)) && value !== '';
    case 'date':
      return typeof value === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(value) && !Number.isNaN(Date.parse(value));
    case 'datetime':
      return typeof value === 'string' && !Number.isNaN(Date.parse(value));
    default:
      return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
  }
}

function refuseDuplicate(world: World, object: SalesforceObject, fields: JsonObject, self?: StoredRecord): void {
  for (const field of object.fields) {
    const value = fields[field.name];
    if (field.isUnique !== true || value === undefined || value === null || value === '') continue;
    const other = byExternalId(world, object, field, String(value)).find((record) => record['Id'] !== self?.['Id']);
    if (other !== undefined) throw refuse(400, 'DUPLICATE_VALUE', `duplicate value found: ${field.name} duplicates value on record with id: ${String(other['Id'])}`, []);
  }
}

function derived(object: SalesforceObject, record: JsonObject): JsonObject {
  if (object.name === 'Contact') return { ...record, Name: [record['FirstName'], record['LastName']].filter((part) => typeof part === 'string' && part !== '').join(' ') };
  return { ...record, IsClosed: record['Status'] === (object.name === 'Task' ? 'Completed' : 'Closed') };
}

/** What a batch reports of one failed item: `statusCode` where single answers say `errorCode`. */
export function itemErrors(error: unknown): readonly JsonObject[] {
  if (!(error instanceof Refusal)) throw error;
  const errors = Array.isArray(error.reply.body) ? error.reply.body.filter(isObject) : [];
  return errors.map(({ errorCode, message, fields }) => ({ statusCode: errorCode, message, fields: fields ?? [] }));
}
