import { isObject } from '../kit/call.js';
import type { Call, Reply } from '../kit/call.js';
import type { StoredRecord } from '../kit/journal-entry.js';
import type { Route, World } from '../kit/provider.js';
import { bodyOf, newId, notFound, refuse } from './shapes.js';

const schemaType = 'contactSchema';
const collection = '/api/v2/externalcontacts/contacts/schemas';
const single = `${collection}/{schemaId}`;

/** Custom fields of contacts are described by schemas; only their last version is kept here. */
export const schemaRoutes: readonly Route[] = [
  { operation: 'listContactSchemas', method: 'GET', path: collection, handle: (call, world) => listing(call, [...world.store.all(schemaType)]) },
  { operation: 'createContactSchema', method: 'POST', path: collection, handle: (call, world) => ({ status: 201, body: save(call, world, newId(), 1) }) },
  { operation: 'readContactSchema', method: 'GET', path: single, handle: (call, world) => ({ status: 200, body: schemaOf(call, world) }) },
  { operation: 'updateContactSchema', method: 'PUT', path: single, handle: update },
  { operation: 'deleteContactSchema', method: 'DELETE', path: single, handle: remove },
  { operation: 'listContactSchemaVersions', method: 'GET', path: `${single}/versions`, handle: (call, world) => listing(call, [schemaOf(call, world)]) },
  { operation: 'readContactSchemaVersion', method: 'GET', path: `${single}/versions/{versionId}`, handle: version },
  { operation: 'readContactSchemaLimits', method: 'GET', path: `${collection}/limits`, handle: () => ({ status: 200, body: { maxNumberOfSchemasPerOrg: 1_000, maxNumberOfFieldsPerSchema: 50, maxNumberOfFieldsPerOrg: 200, selfUri: `${collection}/limits` } }) },
  { operation: 'listContactCoreTypes', method: 'GET', path: `${collection}/coretypes`, handle: (call) => listing(call, []) },
  {
    operation: 'readContactCoreType',
    method: 'GET',
    path: `${collection}/coretypes/{coreTypeName}`,
    handle: (call) => {
      throw notFound(call, 'coretype', call.parameter('coreTypeName'));
    },
  },
];

function schemaOf(call: Call, world: World): StoredRecord {
  const schema = world.store.get(schemaType, call.parameter('schemaId'));
  if (schema === undefined) throw notFound(call, 'schema', call.parameter('schemaId'));
  return schema;
}

function update(call: Call, world: World): Reply {
  const before = schemaOf(call, world);
  if (bodyOf(call)['version'] !== before['version']) throw refuse(call, 409, 'request.conflict', 'The version of the schema is not the current one.');
  return { status: 200, body: save(call, world, String(before['id']), Number(before['version']) + 1) };
}

function save(call: Call, world: World, id: string, versionNumber: number): StoredRecord {
  const body = bodyOf(call);
  if (!isObject(body['jsonSchema'])) throw refuse(call, 400, 'constraint.validation', 'jsonSchema may not be empty');
  const record = { enabled: true, ...body, id, version: versionNumber, appliesTo: ['CONTACT'], dateCreated: new Date(call.at).toISOString(), selfUri: `${collection}/${id}` };
  world.commit(call, { kind: versionNumber === 1 ? 'created' : 'updated', recordType: schemaType, recordId: id, body, record });
  return record;
}

function remove(call: Call, world: World): Reply {
  world.commit(call, { kind: 'deleted', recordType: schemaType, recordId: String(schemaOf(call, world)['id']), body: null });
  return { status: 204 };
}

function version(call: Call, world: World): Reply {
  const schema = schemaOf(call, world);
  if (call.parameter('versionId') !== String(schema['version'])) throw notFound(call, 'schema', call.parameter('versionId'));
  return { status: 200, body: schema };
}

function listing(call: Call, entities: readonly StoredRecord[]): Reply {
  return { status: 200, body: { total: entities.length, entities, selfUri: call.pathAndQuery } };
}
