import type { Call, JsonObject } from '../kit/call.js';
import { isObject } from '../kit/call.js';
import type { StoredRecord } from '../kit/journal-entry.js';
import { bodyOf, refuse } from './shapes.js';

const readOnly = new Set(['id', 'selfUri', 'createDate', 'modifyDate', 'createdBy', 'mergedTo', 'mergedFrom', 'mergeSet']);

/** `{changes: [{field, action, value}]}` (ExternalContactsPatchRequest); any action that says remove or clear empties the field. */
export function patched(call: Call, before: StoredRecord): JsonObject {
  const { changes } = bodyOf(call);
  if (!Array.isArray(changes) || changes.length === 0) throw refuse(call, 400, 'bad.request', 'changes may not be empty');
  const fields = new Map(Object.entries(before));
  for (const change of changes as readonly unknown[]) {
    const field = isObject(change) ? change['field'] : undefined;
    if (!isObject(change) || typeof field !== 'string' || readOnly.has(field)) throw refuse(call, 400, 'invalid.property', `Value [${String(field)}] is not a property that can be changed.`);
    if (/^(remove|delete|clear|unset)$/i.test(String(change['action']))) fields.delete(field);
    else fields.set(field, change['value']);
  }
  return Object.fromEntries(fields);
}
