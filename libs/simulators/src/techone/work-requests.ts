import type { Call, JsonObject, Reply } from '../kit/call.js';
import type { StoredRecord } from '../kit/journal-entry.js';
import type { Route, World } from '../kit/provider.js';
import { itemsOf, localTime, message, refusedItems } from './shapes.js';

export const workRequestType = 'WorkRequest';
export const referenceField = 'Userfield1Alpha';
export const numberField = 'WorkRequestNumber';
/** When the stored record last changed, on the simulator's clock; not part of any answer. */
export const changedAtMs = 'changedAtMs';
/** What searches still show while the last change is hidden from them. */
export const shownBefore = 'shownBefore';

const hidden = new Set([changedAtMs, shownBefore]);
const maxDescription = 250;

/** A tenant publishes its services below /Api/WS/v1; TechnologyOne's own delivered ones stand below /Api/T1/WS/v1. */
export const workRequestRoutes: readonly Route[] = ['/Api/WS/v1', '/Api/T1/WS/v1'].flatMap((root): readonly Route[] => [
  { operation: 'saveWorkRequest', method: 'POST', path: `${root}/WorkRequest/Save`, handle: save },
  { operation: 'saveWorkRequests', method: 'POST', path: `${root}/WorkRequest/SaveBulk`, handle: save },
  { operation: 'readWorkRequests', method: 'POST', path: `${root}/WorkRequest/ReadForAll`, handle: read },
]);

/** No idempotency: the same reference twice makes two work requests. A number in the item updates that one. */
function save(call: Call, world: World): Reply {
  const items = itemsOf(call);
  const problem = items.map((item) => problemOf(item, world)).find((found) => found !== undefined);
  if (problem !== undefined) return refusedItems(...problem);
  const saved = items.map((item) => shown(saveOne(call, world, item)));
  const warnings = items.filter((item) => String(item['Description']).length > maxDescription).map(() => message('WRKR0107', `Description was cut to ${maxDescription} characters.`, 'Warning'));
  return { status: 200, body: { Items: saved, Messages: warnings } };
}

function problemOf(item: JsonObject, world: World): readonly [code: string, text: string] | undefined {
  const number = item[numberField];
  if (number !== undefined && world.store.get(workRequestType, String(number)) === undefined) return ['WRKR0101', `Work Request ${String(number)} does not exist.`];
  const description = item['Description'];
  if (number === undefined && (typeof description !== 'string' || description.trim() === '')) return ['WRKR0104', 'Description must be entered.'];
  const wrong = Object.entries(item).find(([name, value]) => typeof value === 'object' && value !== null && name !== 'Attachments');
  return wrong === undefined ? undefined : ['WRKR0110', `${wrong[0]} is not a valid value.`];
}

function saveOne(call: Call, world: World, item: JsonObject): StoredRecord {
  const before = typeof item[numberField] === 'string' ? world.store.get(workRequestType, item[numberField]) : undefined;
  const ordinal = world.store.createdCount(workRequestType) + 1;
  const number = before === undefined ? `WR-${String(ordinal).padStart(6, '0')}` : String(before[numberField]);
  const now = localTime(call.at);
  const created = { WorkRequestSystemName: 'F1.WR', WorkRequestNumberInternal: ordinal, Status: 'O', CreatedDateTime: now };
  const fields = typeof item['Description'] === 'string' ? { ...item, Description: item['Description'].slice(0, maxDescription) } : item;
  const record = { ...(before ?? created), ...fields, [numberField]: number, ModifiedDateTime: now, [changedAtMs]: call.at, ...(before === undefined ? {} : { [shownBefore]: shownBeforeOf(before, call) }) };
  world.commit(call, { kind: before === undefined ? 'created' : 'updated', recordType: workRequestType, recordId: number, body: item, record });
  return record;
}

/** One step back is enough: an older change that is itself still hidden stays hidden behind the same earlier state. */
function shownBeforeOf(before: StoredRecord, call: Call): unknown {
  const isHidden = call.at - Number(before[changedAtMs]) < call.searchLagMs;
  return isHidden ? (before[shownBefore] ?? null) : shown(before);
}

/** `WorkOrder/ReadForAll` is known from public clients; this is its like for work requests, by number. Not delayed. */
function read(call: Call, world: World): Reply {
  const found = itemsOf(call).flatMap((item) => {
    const record = world.store.get(workRequestType, String(item[numberField] ?? item['KeyedWorkRequestNumber'] ?? ''));
    return record === undefined ? [] : [shown(record)];
  });
  return { status: 200, body: { Items: found, Messages: found.length === 0 ? [message('WRKR0101', 'No work request was found.', 'Information')] : [] } };
}

export function shown(record: StoredRecord): JsonObject {
  return Object.fromEntries(Object.entries(record).filter(([name]) => !hidden.has(name)));
}
