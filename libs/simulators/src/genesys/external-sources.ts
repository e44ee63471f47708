import type { Call } from '../kit/call.js';
import type { StoredRecord } from '../kit/journal-entry.js';
import type { Route, World } from '../kit/provider.js';
import { bodyOf, newId, notFound, refuse } from './shapes.js';

const sourceType = 'externalSource';
const collection = '/api/v2/externalcontacts/externalsources';
const single = `${collection}/{externalSourceId}`;

/** An identifier of type ExternalId belongs to a source, so sources are served too. */
export const externalSourceRoutes: readonly Route[] = [
  { operation: 'createExternalSource', method: 'POST', path: collection, handle: (call, world) => ({ status: 200, body: save(call, world, newId()) }) },
  { operation: 'listExternalSources', method: 'GET', path: collection, handle: (call, world) => ({ status: 200, body: { entities: [...world.store.all(sourceType)], selfUri: call.pathAndQuery, cursors: { before: null, after: null } } }) },
  { operation: 'readExternalSource', method: 'GET', path: single, handle: (call, world) => ({ status: 200, body: sourceOf(call, world) }) },
  { operation: 'updateExternalSource', method: 'PUT', path: single, handle: (call, world) => ({ status: 200, body: save(call, world, String(sourceOf(call, world)['id'])) }) },
  {
    operation: 'deleteExternalSource',
    method: 'DELETE',
    path: single,
    handle: (call, world) => {
      world.commit(call, { kind: 'deleted', recordType: sourceType, recordId: String(sourceOf(call, world)['id']), body: null });
      return { status: 200, body: {} };
    },
  },
];

function sourceOf(call: Call, world: World): StoredRecord {
  const source = world.store.get(sourceType, call.parameter('externalSourceId'));
  if (source === undefined) throw notFound(call, 'externalSource', call.parameter('externalSourceId'));
  return source;
}

function save(call: Call, world: World, id: string): StoredRecord {
  const body = bodyOf(call);
  if (typeof body['name'] !== 'string' || body['name'] === '') throw refuse(call, 400, 'constraint.validation', 'name may not be empty');
  const record = { active: true, ...body, id, selfUri: `${collection}/${id}` };
  const kind = world.store.get(sourceType, id) === undefined ? 'created' : 'updated';
  world.commit(call, { kind, recordType: sourceType, recordId: id, body, record });
  return record;
}
