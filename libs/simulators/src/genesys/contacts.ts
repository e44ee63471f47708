import type { Call, JsonObject, Reply } from '../kit/call.js';
import { isObject } from '../kit/call.js';
import type { StoredRecord } from '../kit/journal-entry.js';
import type { Route, World } from '../kit/provider.js';
import { bulk, entitiesOf } from './bulk.js';
import { contactById, contactType, createContact, findByIdentifier, identifierKey, identifiersOf, readIdentifier, replaceContact } from './contact-record.js';
import { enrich } from './enrich.js';
import { patched } from './patch.js';
import { scan } from './scan.js';
import { bodyOf, listing, notFound, pageOf, refuse } from './shapes.js';

const root = '/api/v2/externalcontacts';
const collection = `${root}/contacts`;
const single = `${collection}/{contactId}`;

/** Operations of the client's ExternalContactsApi on contacts (262.0.0). Creating answers 200, not 201. */
export const contactRoutes: readonly Route[] = [
  { operation: 'createContact', method: 'POST', path: collection, handle: (call, world) => ok(createContact(call, world, bodyOf(call))) },
  { operation: 'readContact', method: 'GET', path: single, handle: (call, world) => ok(contactOf(call, world)) },
  { operation: 'updateContact', method: 'PUT', path: single, handle: (call, world) => ok(replaceContact(call, world, contactOf(call, world), bodyOf(call))) },
  { operation: 'patchContact', method: 'PATCH', path: single, handle: (call, world) => ok(replaceContact(call, world, contactOf(call, world), patched(call, contactOf(call, world)), bodyOf(call))) },
  { operation: 'deleteContact', method: 'DELETE', path: single, handle: (call, world) => (removeContact(call, world, contactOf(call, world)), ok({})) },
  { operation: 'listContacts', method: 'GET', path: collection, handle: (call, world) => listing(call, searched(world, call.query.get('q') ?? '', call.query.get('sortOrder')), pageOf(call)) },
  { operation: 'searchContacts', method: 'POST', path: `${collection}/search`, handle: search },
  { operation: 'scanContacts', method: 'GET', path: `${root}/scan/contacts`, handle: (call, world) => scan(call, world, contactType) },
  { operation: 'scanContactsOfAllDivisions', method: 'GET', path: `${root}/scan/contacts/divisionviews/all`, handle: (call, world) => scan(call, world, contactType) },
  { operation: 'enrichContact', method: 'POST', path: `${collection}/enrich`, handle: enrichOne },
  { operation: 'lookUpContact', method: 'POST', path: `${root}/identifierlookup/contacts`, handle: lookUp },
  { operation: 'lookUpContactOldWay', method: 'POST', path: `${root}/identifierlookup`, handle: lookUp },
  { operation: 'reverseWhitePagesLookup', method: 'GET', path: `${root}/reversewhitepageslookup`, handle: reverseLookUp },
  { operation: 'listContactIdentifiers', method: 'GET', path: `${single}/identifiers`, handle: (call, world) => ok({ entities: identifiersOf(contactOf(call, world)) }) },
  { operation: 'claimContactIdentifier', method: 'PATCH', path: `${single}/identifiers`, handle: claimIdentifier },
  { operation: 'readUnresolvedContact', method: 'GET', path: `${single}/unresolved`, handle: (call, world) => ok(contactOf(call, world)) },
  { operation: 'promoteContact', method: 'POST', path: `${single}/promotion`, handle: (call, world) => ok(replaceContact(call, world, contactOf(call, world), contactOf(call, world), {})) },
  { operation: 'listContactSegments', method: 'GET', path: `${single}/journey/segments`, handle: (call, world) => (contactOf(call, world), ok({ entities: [] })) },
  { operation: 'assignContactSegments', method: 'POST', path: `${single}/journey/segments`, handle: (call, world) => (contactOf(call, world), ok({ unprocessedItems: { assignments: [], unassignments: [] } })) },
  { operation: 'listContactSessions', method: 'GET', path: `${single}/journey/sessions`, handle: (call, world) => (contactOf(call, world), ok({ entities: [] })) },
  { operation: 'mergeContacts', method: 'POST', path: `${collection}/merge`, handle: mergeMany },
  { operation: 'mergeTwoContacts', method: 'POST', path: `${root}/merge/contacts`, handle: mergeTwo },
  { operation: 'bulkReadContacts', method: 'POST', path: `${root}/bulk/contacts`, handle: bulkRead },
  { operation: 'bulkReadContactsOfAllDivisions', method: 'POST', path: `${root}/bulk/contacts/divisionviews`, handle: bulkRead },
  { operation: 'bulkReadUnresolvedContacts', method: 'POST', path: `${root}/bulk/contacts/unresolved`, handle: bulkRead },
  { operation: 'bulkCreateContacts', method: 'POST', path: `${root}/bulk/contacts/add`, handle: (call, world) => bulk(entitiesOf(call), (item) => createContact(call, world, item)) },
  { operation: 'bulkUpdateContacts', method: 'POST', path: `${root}/bulk/contacts/update`, handle: (call, world) => bulk(entitiesOf(call), (item) => replaceContact(call, world, contactById(call, world, String(item['id'])), item)) },
  { operation: 'bulkDeleteContacts', method: 'POST', path: `${root}/bulk/contacts/remove`, handle: (call, world) => bulk(entitiesOf(call), (item) => removeContact(call, world, contactById(call, world, String(item['id'])))) },
  { operation: 'bulkEnrichContacts', method: 'POST', path: `${root}/bulk/contacts/enrich`, handle: bulkEnrich },
];

function contactOf(call: Call, world: World): StoredRecord {
  return contactById(call, world, call.parameter('contactId'));
}

function removeContact(call: Call, world: World, contact: StoredRecord): undefined {
  world.commit(call, { kind: 'deleted', recordType: contactType, recordId: String(contact['id']), body: null });
  return undefined;
}

function searched(world: World, text: string, sortOrder: string | null = null): readonly StoredRecord[] {
  const wanted = text.trim().toLowerCase();
  const found: StoredRecord[] = [];
  for (const contact of world.store.all(contactType)) {
    const words = [contact['firstName'], contact['middleName'], contact['lastName'], contact['title'], ...identifiersOf(contact).map(({ value }) => value)];
    if (wanted === '' || words.filter((word) => typeof word === 'string').join(' ').toLowerCase().includes(wanted)) found.push(contact);
  }
  const [field = '', direction = 'asc'] = (sortOrder ?? '').split(':');
  if (field === '') return found;
  const sign = direction === 'desc' ? -1 : 1;
  return found.toSorted((left, right) => sign * String(left[field] ?? '').localeCompare(String(right[field] ?? '')));
}

function search(call: Call, world: World): Reply {
  const body = bodyOf(call);
  const simple = isObject(body['operation']) && isObject(body['operation']['simpleSearch']) ? body['operation']['simpleSearch'] : {};
  const text = simple['searchText'] ?? simple['query'] ?? simple['value'] ?? Object.values(simple).find((value) => typeof value === 'string') ?? '';
  return listing(call, searched(world, String(text)), pageOf(call, body));
}

function enrichOne(call: Call, world: World): Reply {
  const isDryRun = call.query.get('dryRun') === 'true';
  const { contact, isCreated } = enrich(call, world, bodyOf(call), isDryRun);
  return { status: isCreated && !isDryRun ? 201 : 200, body: contact };
}

/** At most 10 in one request; each result says 201 or 200 itself. */
function bulkEnrich(call: Call, world: World): Reply {
  const created = new Set<unknown>();
  return bulk(
    entitiesOf(call, 10),
    (item) => {
      const { contact, isCreated } = enrich(call, world, item);
      if (isCreated) created.add(contact);
      return contact;
    },
    (contact) => (created.has(contact) ? 201 : 200),
  );
}

function bulkRead(call: Call, world: World): Reply {
  return bulk(entitiesOf(call), (item) => contactById(call, world, String(item['id'])));
}

function lookUp(call: Call, world: World): Reply {
  const identifier = readIdentifier(call, bodyOf(call));
  const contact = findByIdentifier(world, identifier);
  if (contact === undefined) throw notFound(call, 'externalContact', identifier.value);
  return ok(contact);
}

/** By phone, email or social id; at most 25 contacts. */
function reverseLookUp(call: Call, world: World): Reply {
  const value = call.query.get('lookupVal') ?? '';
  if (value === '') throw refuse(call, 400, 'bad.request', 'lookupVal is required');
  const keys = ['Phone', 'Email'].map((type) => identifierKey({ type, value: value.replace(/^tel:/, '') }));
  const contacts = new Map(keys.flatMap((key) => world.store.find(contactType, 'identifier', key)).map((contact) => [contact['id'], contact]));
  return ok({ contacts: [...contacts.values()].slice(0, 25) });
}

function claimIdentifier(call: Call, world: World): Reply {
  const contact = contactOf(call, world);
  const body = bodyOf(call);
  const identifier = readIdentifier(call, body['identifier']);
  const others = (Array.isArray(contact['identifiers']) ? contact['identifiers'] : []).filter((item) => isObject(item) && (item['type'] !== identifier.type || item['value'] !== identifier.value));
  const identifiers = /release|remove/i.test(String(body['operation'])) ? others : [...others, { ...identifier, dateCreated: new Date(call.at).toISOString() }];
  replaceContact(call, world, contact, { ...contact, identifiers }, body);
  return ok({ ...identifier, dateCreated: new Date(call.at).toISOString() });
}

function mergeTwo(call: Call, world: World): Reply {
  const { sourceContactId, targetContactId } = bodyOf(call);
  return ok(merge(call, world, [String(targetContactId), String(sourceContactId)], {}));
}

function mergeMany(call: Call, world: World): Reply {
  const { contactIds, valueOverride } = bodyOf(call);
  if (!Array.isArray(contactIds) || contactIds.length < 2) throw refuse(call, 400, 'constraint.validation', 'contactIds needs at least two ids');
  return ok(merge(call, world, contactIds.map(String), isObject(valueOverride) ? valueOverride : {}));
}

/** The first named stays as the canonical contact; the others point to it. */
function merge(call: Call, world: World, ids: readonly string[], override: JsonObject): StoredRecord {
  const [target, ...sources] = ids.map((id) => contactById(call, world, id));
  if (target === undefined) throw notFound(call, 'externalContact');
  const reference = (contact: StoredRecord): JsonObject => ({ id: contact['id'], selfUri: contact['selfUri'] });
  const filled = sources.reduce<JsonObject>((sum, source) => ({ ...source, ...sum }), target);
  for (const source of sources) world.commit(call, { kind: 'updated', recordType: contactType, recordId: String(source['id']), body: bodyOf(call), record: { ...source, mergedTo: reference(target) } });
  const record = { ...filled, ...override, id: target['id'], mergedFrom: sources.map(reference), mergeSet: [target, ...sources].map(reference), modifyDate: new Date(call.at).toISOString() };
  world.commit(call, { kind: 'updated', recordType: contactType, recordId: String(target['id']), body: bodyOf(call), record });
  return record;
}

function ok(body: unknown): Reply {
  return { status: 200, body };
}
