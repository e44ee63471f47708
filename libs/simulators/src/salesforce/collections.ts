import { isObject } from '../kit/call.js';
import type { Call, JsonObject, Reply } from '../kit/call.js';
import type { Route, World } from '../kit/provider.js';
import { objectNamed } from './objects.js';
import type { SalesforceObject } from './objects.js';
import { objectOfId } from './objects.js';
import { fullId } from './record-id.js';
import { dataRoot, knownField, objectOf, versionOf, withAttributes } from './records.js';
import { bodyOf, refuse } from './shapes.js';
import { createRecord, deleteRecord, externalIdField, itemErrors, liveRecord, updateRecord, upsertRecord } from './writes.js';

const root = `${dataRoot}/composite/sobjects`;
const maxWrites = 200;
const maxReads = 2_000;

/** sObject collections: 200 also when items failed, results in the order of the request (v46.0 up for upsert). */
export const collectionRoutes: readonly Route[] = [
  { operation: 'createRecords', method: 'POST', path: root, handle: (call, world) => writeAll(call, world, (item) => created(call, world, item)) },
  { operation: 'updateRecords', method: 'PATCH', path: root, handle: (call, world) => writeAll(call, world, (item) => updated(call, world, item)) },
  { operation: 'upsertRecords', method: 'PATCH', path: `${root}/{object}/{field}`, handle: upsertAll },
  { operation: 'deleteRecords', method: 'DELETE', path: root, handle: deleteAll },
  { operation: 'readRecords', method: 'POST', path: `${root}/{object}`, handle: (call, world) => readAll(call, world, listOf(bodyOf(call)['ids']), listOf(bodyOf(call)['fields'])) },
  { operation: 'readRecords', method: 'GET', path: `${root}/{object}`, handle: (call, world) => readAll(call, world, (call.query.get('ids') ?? '').split(','), (call.query.get('fields') ?? '').split(',')) },
];

type Result = JsonObject & { readonly success: boolean };

function writeAll(call: Call, world: World, write: (item: JsonObject) => Result): Reply {
  versionOf(call);
  const { records, allOrNone } = bodyOf(call);
  if (!Array.isArray(records) || !records.every(isObject)) throw refuse(400, 'JSON_PARSER_ERROR', 'records must be a list of objects');
  if (records.length > maxWrites) throw refuse(400, 'INVALID_INPUT', `Collection size cannot exceed ${maxWrites}.`);
  return { status: 200, body: each(world, records, write, allOrNone === true) };
}

/** With `allOrNone` one failure takes everything back, and the others say so. */
function each<Item>(world: World, items: readonly Item[], write: (item: Item) => Result, isAllOrNone: boolean): readonly Result[] {
  const results: Result[] = [];
  const run = (): boolean => {
    for (const item of items) results.push(attempt(() => write(item)));
    return results.every(({ success }) => success);
  };
  if (!isAllOrNone) {
    run();
    return results;
  }
  if (world.allOrNothing(run)) return results;
  const rolledBack = { statusCode: 'ALL_OR_NONE_OPERATION_ROLLED_BACK', message: 'Record rolled back because not all records were valid and the request was using AllOrNone header', fields: [] };
  return results.map((result) => (result.success ? { success: false, errors: [rolledBack] } : result));
}

function attempt(write: () => Result): Result {
  try {
    return write();
  } catch (error) {
    return { success: false, errors: itemErrors(error) };
  }
}

function created(call: Call, world: World, item: JsonObject): Result {
  return { id: createRecord(call, world, typeOf(item), item), success: true, errors: [] };
}

function updated(call: Call, world: World, item: JsonObject): Result {
  const { id, Id, ...fields } = item;
  const object = typeOf(item);
  const record = liveRecord(world, object, String(id ?? Id ?? ''));
  updateRecord(call, world, object, record, fields);
  return { id: record['Id'], success: true, errors: [] };
}

function upsertAll(call: Call, world: World): Reply {
  const object = objectOf(call);
  const field = externalIdField(object, call.parameter('field'));
  const seen = new Set<string>();
  return writeAll(call, world, (item) => {
    const { [field.name]: key, ...fields } = item;
    if (typeof key !== 'string' && typeof key !== 'number') throw refuse(400, 'MISSING_ARGUMENT', `${field.name} not specified`);
    if (seen.has(String(key).toLowerCase())) throw refuse(400, 'DUPLICATE_VALUE', `Duplicate external id specified: ${key}`, [field.name]);
    seen.add(String(key).toLowerCase());
    const upserted = upsertRecord(call, world, object, field, String(key), fields);
    if (upserted.kind === 'ambiguous') throw refuse(300, 'DUPLICATE_EXTERNAL_ID', `${field.name}: more than one record found for external id field: [${upserted.ids.join(', ')}]`);
    return { id: upserted.id, success: true, created: upserted.kind === 'created', errors: [] };
  });
}

function deleteAll(call: Call, world: World): Reply {
  versionOf(call);
  const ids = (call.query.get('ids') ?? '').split(',').filter((id) => id !== '');
  if (ids.length === 0 || ids.length > maxWrites) throw refuse(400, 'INVALID_INPUT', `ids names 1 to ${maxWrites} records.`);
  const remove = (id: string): Result => {
    const object = objectOfId(id);
    if (object === undefined) throw refuse(400, 'MALFORMED_ID', `malformed id ${id}`);
    deleteRecord(call, world, object, liveRecord(world, object, id));
    return { id: fullId(id), success: true, errors: [] };
  };
  return { status: 200, body: each(world, ids, remove, call.query.get('allOrNone') === 'true') };
}

/** In the order asked; what does not exist is null. */
function readAll(call: Call, world: World, ids: readonly string[], fields: readonly string[]): Reply {
  const object = objectOf(call);
  if (ids.length > maxReads) throw refuse(400, 'INVALID_INPUT', `Collection size cannot exceed ${maxReads}.`);
  const names = fields.filter((name) => name !== '').map((name) => knownField(object, name.trim()));
  const body = ids.map((id) => {
    const record = world.store.get(object.name, fullId(id));
    return record === undefined || record['IsDeleted'] === true ? null : withAttributes(call, object, record, names);
  });
  return { status: 200, body };
}

function typeOf(item: JsonObject): SalesforceObject {
  const type = isObject(item['attributes']) ? item['attributes']['type'] : undefined;
  const object = objectNamed(String(type ?? ''));
  if (object === undefined) throw refuse(400, 'INVALID_TYPE', `sObject type '${String(type)}' is not supported.`);
  return object;
}

function listOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
