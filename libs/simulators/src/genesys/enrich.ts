import type { Call, JsonObject } from '../kit/call.js';
import { isObject } from '../kit/call.js';
import type { StoredRecord } from '../kit/journal-entry.js';
import type { World } from '../kit/provider.js';
import { createContact, findByIdentifier, identifierKey, identifiersOf, readIdentifier, replaceContact } from './contact-record.js';
import type { Identifier } from './contact-record.js';
import { notFound, refuse } from './shapes.js';

export interface Enriched {
  readonly contact: StoredRecord;
  readonly isCreated: boolean;
}

const actions = ['Merge', 'Upsert', 'Update', 'Insert'];

/** The one real upsert: 201 created, 200 updated (ContactEnrichRequest, client 262.0.0). */
export function enrich(call: Call, world: World, body: JsonObject, isDryRun = false): Enriched {
  const { matchingIdentifiers, action } = body;
  if (!Array.isArray(matchingIdentifiers) || matchingIdentifiers.length === 0) throw refuse(call, 400, 'constraint.validation', 'matchingIdentifiers may not be empty');
  if (matchingIdentifiers.length > 10) throw refuse(call, 409, 'too.many.identifiers', 'Too many identifiers were provided.');
  if (typeof action !== 'string' || !actions.includes(action)) throw refuse(call, 400, 'invalid.value', `Value [${String(action)}] is not valid for [action]. Valid values: [${actions.join(', ')}]`);
  const identifiers = matchingIdentifiers.map((item) => readIdentifier(call, item));
  const found = identifiers.map((identifier) => findByIdentifier(world, identifier)).find((contact) => contact !== undefined);
  const given = isObject(body['contact']) ? body['contact'] : {};
  if (found !== undefined && action === 'Insert') throw refuse(call, 409, 'matching.contact.found', 'A contact that matches the identifiers exists already.');
  if (found === undefined && action === 'Update') throw notFound(call, 'externalContact');
  if (isDryRun) return { contact: found ?? given, isCreated: found === undefined };
  return found === undefined
    ? { contact: createContact(call, world, withIdentifiers(given, identifiers), body), isCreated: true }
    : { contact: replaceContact(call, world, found, withIdentifiers(blend(found, given, body['fieldRules']), identifiers), body), isCreated: false };
}

/** Matching identifiers become the contact's own, where its fields do not say them already. */
function withIdentifiers(contact: JsonObject, identifiers: readonly Identifier[]): JsonObject {
  const known = new Set(identifiersOf(contact).map(identifierKey));
  const added = identifiers.filter((identifier) => !known.has(identifierKey(identifier)));
  if (added.length === 0) return contact;
  const external = added.filter(({ type }) => type === 'ExternalId').map(({ value, externalSource }) => ({ value, externalSource }));
  const others = added.filter(({ type }) => type !== 'ExternalId');
  return { ...contact, ...appended(contact, 'externalIds', external), ...appended(contact, 'identifiers', others) };
}

function appended(contact: JsonObject, field: string, items: readonly unknown[]): JsonObject {
  const before = contact[field];
  return items.length === 0 ? {} : { [field]: [...(Array.isArray(before) ? before : []), ...items] };
}

function blend(before: StoredRecord, given: JsonObject, rules: unknown): JsonObject {
  const action = isObject(rules) ? (rules['defaultAction'] ?? 'PreferProvided') : 'PreferProvided';
  const arrays = isObject(rules) ? (rules['defaultArrayAction'] ?? 'Extend') : 'Extend';
  const fields = new Map(Object.entries(before));
  for (const [name, value] of Object.entries(given)) {
    const old = fields.get(name);
    const isEmpty = old === undefined || old === null || old === '';
    if (Array.isArray(value) && Array.isArray(old) && arrays === 'Extend') fields.set(name, [...old, ...value]);
    else if (Array.isArray(value) && arrays === 'Fill' ? isEmpty : action === 'AlwaysUseProvided' || isEmpty || (action === 'PreferProvided' && value !== null && value !== '')) fields.set(name, value);
  }
  return Object.fromEntries(fields);
}
