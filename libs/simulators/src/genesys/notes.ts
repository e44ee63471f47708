import type { Call, JsonObject, Reply } from '../kit/call.js';
import { isObject } from '../kit/call.js';
import type { StoredRecord } from '../kit/journal-entry.js';
import type { Route, World } from '../kit/provider.js';
import { bulk, entitiesOf } from './bulk.js';
import { contactById } from './contact-record.js';
import { patched } from './patch.js';
import { scan } from './scan.js';
import { bodyOf, contactPath, listing, newId, notFound, pageOf, refuse } from './shapes.js';

export const noteType = 'note';
const collection = '/api/v2/externalcontacts/contacts/{contactId}/notes';
const single = `${collection}/{noteId}`;

/** Operations of the client's ExternalContactsApi on notes of a contact (262.0.0). */
export const noteRoutes: readonly Route[] = [
  { operation: 'createNote', method: 'POST', path: collection, handle: (call, world) => ok(createNote(call, world, call.parameter('contactId'), bodyOf(call))) },
  { operation: 'listNotes', method: 'GET', path: collection, handle: listNotes },
  { operation: 'readNote', method: 'GET', path: single, handle: (call, world) => ok(noteOf(call, world)) },
  { operation: 'updateNote', method: 'PUT', path: single, handle: (call, world) => ok(changeNote(call, world, noteOf(call, world), bodyOf(call))) },
  { operation: 'patchNote', method: 'PATCH', path: single, handle: (call, world) => ok(changeNote(call, world, noteOf(call, world), patched(call, noteOf(call, world)))) },
  { operation: 'deleteNote', method: 'DELETE', path: single, handle: deleteNote },
  { operation: 'bulkReadNotes', method: 'POST', path: '/api/v2/externalcontacts/bulk/notes', handle: (call, world) => bulk(entitiesOf(call), (item) => byId(call, world, item)) },
  { operation: 'bulkCreateNotes', method: 'POST', path: '/api/v2/externalcontacts/bulk/notes/add', handle: (call, world) => bulk(entitiesOf(call), (item) => createNote(call, world, String(item['entityId'] ?? ''), item)) },
  { operation: 'bulkUpdateNotes', method: 'POST', path: '/api/v2/externalcontacts/bulk/notes/update', handle: (call, world) => bulk(entitiesOf(call), (item) => changeNote(call, world, byId(call, world, item), item)) },
  { operation: 'bulkDeleteNotes', method: 'POST', path: '/api/v2/externalcontacts/bulk/notes/remove', handle: (call, world) => bulk(entitiesOf(call), (item) => removeNote(call, world, byId(call, world, item))) },
  { operation: 'scanNotes', method: 'GET', path: '/api/v2/externalcontacts/scan/notes', handle: (call, world) => scan(call, world, noteType) },
  { operation: 'scanNotesOfAllDivisions', method: 'GET', path: '/api/v2/externalcontacts/scan/notes/divisionviews/all', handle: (call, world) => scan(call, world, noteType) },
];

function createNote(call: Call, world: World, contactId: string, body: JsonObject): StoredRecord {
  const contact = contactById(call, world, contactId);
  const noteText = body['noteText'];
  if (typeof noteText !== 'string' || noteText.trim() === '') throw refuse(call, 400, 'constraint.validation', 'noteText may not be empty');
  const id = newId();
  const createDate = new Date(call.at).toISOString();
  const record = {
    id,
    division: contact['division'],
    entityId: contactId,
    entityType: 'contact',
    noteText,
    createDate,
    modifyDate: createDate,
    createdBy: { id: 'd0c0ffee-0000-4000-8000-000000000001', selfUri: '/api/v2/users/d0c0ffee-0000-4000-8000-000000000001' },
    externalDataSources: [],
    selfUri: `${contactPath(contactId)}/notes/${id}`,
  };
  world.commit(call, { kind: 'created', recordType: noteType, recordId: id, body, record });
  return record;
}

/** Oldest first, unless `sortOrder=createDate:desc`. */
function listNotes(call: Call, world: World): Reply {
  const contact = contactById(call, world, call.parameter('contactId'));
  const merged = call.query.getAll('expand').join(',').split(',').includes('mergeset') && Array.isArray(contact['mergedFrom']) ? contact['mergedFrom'] : [];
  const ids = [String(contact['id']), ...merged.map((reference) => (isObject(reference) ? String(reference['id']) : ''))];
  const notes = ids.flatMap((id) => world.store.find(noteType, 'contact', id));
  const sortOrder = call.query.get('sortOrder') ?? 'createDate:asc';
  if (!/^createDate(:(asc|desc))?$/i.test(sortOrder)) throw refuse(call, 400, 'invalid.value', `Value [${sortOrder}] is not valid for [sortOrder].`);
  return listing(call, /:desc$/i.test(sortOrder) ? notes.toReversed() : notes, pageOf(call));
}

function noteOf(call: Call, world: World): StoredRecord {
  const id = call.parameter('noteId');
  const note = world.store.get(noteType, id);
  if (note === undefined || note['entityId'] !== call.parameter('contactId')) throw notFound(call, 'note', id);
  return note;
}

function byId(call: Call, world: World, item: JsonObject): StoredRecord {
  const id = String(item['id'] ?? '');
  const note = world.store.get(noteType, id);
  if (note === undefined) throw notFound(call, 'note', id);
  return note;
}

function changeNote(call: Call, world: World, note: StoredRecord, body: JsonObject): StoredRecord {
  const noteText = body['noteText'];
  if (typeof noteText !== 'string' || noteText.trim() === '') throw refuse(call, 400, 'constraint.validation', 'noteText may not be empty');
  const record = { ...note, noteText, modifyDate: new Date(call.at).toISOString() };
  world.commit(call, { kind: 'updated', recordType: noteType, recordId: String(note['id']), body, record });
  return record;
}

function deleteNote(call: Call, world: World): Reply {
  removeNote(call, world, noteOf(call, world));
  return ok({});
}

function removeNote(call: Call, world: World, note: StoredRecord): undefined {
  world.commit(call, { kind: 'deleted', recordType: noteType, recordId: String(note['id']), body: null });
  return undefined;
}

function ok(body: unknown): Reply {
  return { status: 200, body };
}
