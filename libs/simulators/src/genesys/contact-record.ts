import type { Call, JsonObject } from '../kit/call.js';
import { isObject, textOf } from '../kit/call.js';
import type { StoredRecord } from '../kit/journal-entry.js';
import type { World } from '../kit/provider.js';
import { contactPath, newId, notFound, refuse } from './shapes.js';

export const contactType = 'contact';
export const homeDivision = { id: 'a0d1c2e3-0000-4000-8000-000000000001', name: 'Home', selfUri: '/api/v2/authorization/divisions/a0d1c2e3-0000-4000-8000-000000000001' };

const phoneFields = ['workPhone', 'cellPhone', 'homePhone', 'otherPhone'] as const;
const emailFields = ['workEmail', 'personalEmail', 'otherEmail'] as const;

export interface Identifier {
  readonly type: string;
  readonly value: string;
  readonly externalSource?: JsonObject;
}

/** Every identifier a contact is known by: those that follow from its fields and those it claimed. */
export function identifiersOf(contact: StoredRecord): readonly Identifier[] {
  const emails = emailFields.map((field) => ({ type: 'Email', value: textOf(contact[field]) ?? '' }));
  const phones = phoneFields.map((field) => ({ type: 'Phone', value: phoneText(contact[field]) }));
  const external = listOf(contact['externalIds']).map((item) => ({ type: 'ExternalId', value: String(item['value'] ?? ''), externalSource: isObject(item['externalSource']) ? item['externalSource'] : {} }));
  const claimed = listOf(contact['identifiers']).map((item) => ({ type: String(item['type']), value: String(item['value']), ...(isObject(item['externalSource']) ? { externalSource: item['externalSource'] } : {}) }));
  return [...emails, ...phones, ...external, ...claimed].filter(({ value }) => value !== '');
}

export function identifierKey({ type, value, externalSource }: Identifier): string {
  if (type === 'Email') return `Email ${value.trim().toLowerCase()}`;
  if (type === 'Phone') return `Phone ${value.replaceAll(/[^\d+]/g, '')}`;
  if (type === 'ExternalId') return `ExternalId ${String(externalSource?.['id'] ?? externalSource?.['name'] ?? '')} ${value}`;
  return `${type} ${value}`;
}

export function readIdentifier(call: Call, input: unknown): Identifier {
  if (!isObject(input) || typeof input['type'] !== 'string' || typeof input['value'] !== 'string' || input['value'] === '') {
    throw refuse(call, 400, 'constraint.validation', 'An identifier needs type and value.');
  }
  const { type, value, externalSource } = input;
  if (type === 'ExternalId' && !isObject(externalSource)) throw refuse(call, 400, 'constraint.validation', 'An identifier of type ExternalId needs an externalSource.');
  return { type, value, ...(isObject(externalSource) ? { externalSource } : {}) };
}

export function contactById(call: Call, world: World, id: string): StoredRecord {
  const contact = world.store.get(contactType, id);
  if (contact === undefined) throw notFound(call, 'externalContact', id);
  return contact;
}

export function findByIdentifier(world: World, identifier: Identifier): StoredRecord | undefined {
  return world.store.find(contactType, 'identifier', identifierKey(identifier))[0];
}

export function createContact(call: Call, world: World, body: JsonObject, sent: JsonObject = body): StoredRecord {
  const id = newId();
  const at = new Date(call.at).toISOString();
  const record = { ...fieldsOf(call, body), id, division: divisionOf(body), type: 'Curated', createDate: at, modifyDate: at, surveyOptOut: body['surveyOptOut'] === true, selfUri: contactPath(id) };
  const taken = identifiersOf(record).find((identifier) => identifier.type === 'ExternalId' && findByIdentifier(world, identifier) !== undefined);
  if (taken !== undefined) throw refuse(call, 409, 'matching.contact.found', `A contact with the identifier [${taken.value}] exists already.`);
  world.commit(call, { kind: 'created', recordType: contactType, recordId: id, body: sent, record });
  return record;
}

/** PUT replaces all fields that may be written; what the server owns stays. */
export function replaceContact(call: Call, world: World, before: StoredRecord, body: JsonObject, sent: JsonObject = body): StoredRecord {
  const { id, type, createDate, selfUri, mergedFrom, mergeSet } = before;
  const kept = Object.fromEntries(Object.entries({ id, type, createDate, selfUri, mergedFrom, mergeSet }).filter(([, value]) => value !== undefined));
  const record = { ...fieldsOf(call, body), ...kept, division: divisionOf(body, before['division']), modifyDate: new Date(call.at).toISOString() };
  world.commit(call, { kind: 'updated', recordType: contactType, recordId: String(id), body: sent, record });
  return record;
}

function fieldsOf(call: Call, body: JsonObject): JsonObject {
  for (const field of emailFields) {
    const email = body[field];
    if (email !== undefined && email !== null && !(typeof email === 'string' && /^[^@\s]+@[^@\s]+$/.test(email))) throw refuse(call, 400, 'constraint.validation', `${field} is not a valid email address`);
  }
  const { selfUri: _selfUri, createDate: _createDate, modifyDate: _modifyDate, ...fields } = body;
  return fields;
}

function divisionOf(body: JsonObject, before: unknown = homeDivision): unknown {
  return isObject(body['division']) ? { ...homeDivision, ...body['division'] } : before;
}

function phoneText(phone: unknown): string {
  return isObject(phone) ? (textOf(phone['e164']) ?? textOf(phone['userInput']) ?? textOf(phone['display']) ?? '') : '';
}

function listOf(value: unknown): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}
