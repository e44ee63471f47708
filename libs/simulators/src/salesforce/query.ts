import type { Call, Reply } from '../kit/call.js';
import type { StoredRecord } from '../kit/journal-entry.js';
import type { Route, World } from '../kit/provider.js';
import { fieldNamed, objectNamed } from './objects.js';
import type { SalesforceObject } from './objects.js';
import { fullId } from './record-id.js';
import { dataRoot, knownField, versionOf, withAttributes } from './records.js';
import { notFound, refuse } from './shapes.js';
import { SoqlSyntax, parseSoql } from './soql.js';
import type { Condition, Literal, Query } from './soql.js';

/** What a cursor still has to give. Cursors live in memory: a restart ends them, as the provider's own do after days. */
interface Cursor {
  readonly object: SalesforceObject;
  readonly fields: readonly string[];
  readonly ids: readonly string[];
  readonly batchSize: number;
}

const keptCursors = 500;

export function queryRoutes(): readonly Route[] {
  const cursors = new Map<string, Cursor>();
  return [
    { operation: 'query', method: 'GET', path: `${dataRoot}/query`, handle: (call, world) => run(call, world, cursors, false) },
    { operation: 'queryAll', method: 'GET', path: `${dataRoot}/queryAll`, handle: (call, world) => run(call, world, cursors, true) },
    { operation: 'queryMore', method: 'GET', path: `${dataRoot}/query/{locator}`, handle: (call, world) => more(call, world, cursors) },
    { operation: 'queryMore', method: 'GET', path: `${dataRoot}/queryAll/{locator}`, handle: (call, world) => more(call, world, cursors) },
  ];
}

function run(call: Call, world: World, cursors: Map<string, Cursor>, withDeleted: boolean): Reply {
  versionOf(call);
  const query = parsed(call.query.get('q') ?? '');
  const object = objectNamed(query.object);
  if (object === undefined) throw refuse(400, 'INVALID_TYPE', `sObject type '${query.object}' is not supported.`);
  const fields = fieldsOf(object, query);
  const rows = rowsOf(world, object, query, withDeleted);
  if (query.fields === 'count()') return { status: 200, body: { totalSize: rows.length, done: true, records: [] } };
  const cursor: Cursor = { object, fields, ids: rows.map((row) => String(row['Id'])), batchSize: batchSizeOf(call) };
  return page(call, world, cursors, cursor, 0, `01g5g00000${String(cursors.size + 1).padStart(5, '0')}${call.requestId.slice(0, 3)}`);
}

function parsed(text: string): Query {
  try {
    return parseSoql(text);
  } catch (error) {
    if (error instanceof SoqlSyntax) throw refuse(400, 'MALFORMED_QUERY', error.message);
    throw error;
  }
}

function fieldsOf(object: SalesforceObject, query: Query): readonly string[] {
  if (query.where !== undefined) checkFields(object, query.where);
  for (const { field } of query.order) knownField(object, field);
  if (query.fields === 'count()') return [];
  return query.fields === 'all' ? object.fields.map(({ name }) => name) : query.fields.map((name) => knownField(object, name));
}

function checkFields(object: SalesforceObject, condition: Condition): void {
  if (condition.kind === 'test') knownField(object, condition.field);
  else for (const part of condition.kind === 'not' ? [condition.part] : condition.parts) checkFields(object, part);
}

function rowsOf(world: World, object: SalesforceObject, query: Query, withDeleted: boolean): readonly StoredRecord[] {
  const { where } = query;
  const found: StoredRecord[] = [];
  for (const record of candidates(world, object, where, withDeleted)) {
    if ((withDeleted || record['IsDeleted'] !== true) && (where === undefined || holds(object, where, record))) found.push(record);
  }
  const sorted = query.order.length === 0 ? found : found.toSorted((left, right) => byOrder(object, query, left, right));
  return sorted.slice(query.offset, query.limit === undefined ? undefined : query.offset + query.limit);
}

/** An equality on Id or an external id finds its record without reading all of them; deleted ones are in no index. */
function candidates(world: World, object: SalesforceObject, where: Condition | undefined, withDeleted: boolean): Iterable<StoredRecord> {
  for (const test of where?.kind === 'and' ? where.parts : where === undefined ? [] : [where]) {
    const [value] = test.kind === 'test' && test.operator === '=' ? test.values : [];
    const field = test.kind === 'test' && typeof value === 'string' ? fieldNamed(object, test.field) : undefined;
    if (field?.isExternalId === true && !withDeleted) return world.store.find(object.name, field.name, String(value).toLowerCase());
    if (field?.type === 'id') return [world.store.get(object.name, fullId(String(value)))].filter((record) => record !== undefined);
  }
  return world.store.all(object.name);
}

function byOrder(object: SalesforceObject, query: Query, left: StoredRecord, right: StoredRecord): number {
  for (const { field, isDescending } of query.order) {
    const name = knownField(object, field);
    const order = compare(left[name], comparable(right[name]));
    if (order !== 0) return isDescending ? -order : order;
  }
  return 0;
}

function holds(object: SalesforceObject, condition: Condition, record: StoredRecord): boolean {
  switch (condition.kind) {
    case 'and':
      return condition.parts.every((part) => holds(object, part, record));
    case 'or':
      return condition.parts.some((part) => holds(object, part, record));
    case 'not':
      return !holds(object, condition.part, record);
    case 'test':
      return tests(condition.operator, record[knownField(object, condition.field)], condition.values);
  }
}

function tests(operator: string, actual: unknown, values: readonly Literal[]): boolean {
  const [first = null] = values;
  const isEqual = (value: Literal): boolean => compare(actual, value) === 0;
  switch (operator) {
    case '=':
      return isEqual(first);
    case '!=':
      return !isEqual(first);
    case 'in':
      return values.some(isEqual);
    case 'not in':
      return !values.some(isEqual);
    case 'like':
      return typeof actual === 'string' && like(String(first)).test(actual);
    case '<':
      return actual !== null && compare(actual, first) < 0;
    case '<=':
      return actual !== null && compare(actual, first) <= 0;
    case '>':
      return actual !== null && compare(actual, first) > 0;
    default:
      return actual !== null && compare(actual, first) >= 0;
  }
}

function like(pattern: string): RegExp {
  const escaped = pattern.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  return new RegExp(`^${escaped.replaceAll(/%+/g, '.*').replaceAll('_', '.')}$`, 'is');
}

function comparable(value: unknown): Literal {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : null;
}

/** Text compares without case; times by instant. */
function compare(actual: unknown, wanted: Literal): number {
  if (actual === null || actual === undefined) return wanted === null ? 0 : -1;
  if (wanted === null) return 1;
  if (typeof wanted === 'object') return Math.sign(Date.parse(String(actual)) - wanted.time);
  if (typeof wanted === 'number') return Math.sign(Number(actual) - wanted);
  const left = String(actual).toLowerCase();
  const right = String(wanted).toLowerCase();
  return left === right ? 0 : left < right ? -1 : 1;
}

/** The caller asks for 200 to 2,000 a page; the server may give fewer. */
function batchSizeOf(call: Call): number {
  const asked = Number(/batchSize=(\d+)/i.exec(String(call.headers['sforce-query-options'] ?? ''))?.[1] ?? 2_000);
  return Math.min(2_000, Math.max(200, asked));
}

function page(call: Call, world: World, cursors: Map<string, Cursor>, cursor: Cursor, from: number, locator: string): Reply {
  const isShort = world.settings.options['shortPages'] === true;
  const size = isShort ? Math.max(1, Math.floor(cursor.batchSize * (0.3 + 0.7 * ((from * 7_919) % 97) / 97))) : cursor.batchSize;
  const records = cursor.ids.slice(from, from + size).flatMap((id) => {
    const record = world.store.get(cursor.object.name, id);
    return record === undefined ? [] : [withAttributes(call, cursor.object, record, cursor.fields)];
  });
  const isDone = from + size >= cursor.ids.length;
  if (!isDone) remember(cursors, locator, cursor);
  const next = isDone ? {} : { nextRecordsUrl: `/services/data/${versionOf(call)}/query/${locator}-${from + size}` };
  return { status: 200, body: { totalSize: cursor.ids.length, done: isDone, ...next, records } };
}

function more(call: Call, world: World, cursors: Map<string, Cursor>): Reply {
  versionOf(call);
  const [, locator = '', from = ''] = /^(\w+)-(\d+)$/.exec(call.parameter('locator')) ?? [];
  const cursor = cursors.get(locator);
  if (cursor === undefined) throw locator === '' ? notFound() : refuse(400, 'INVALID_QUERY_LOCATOR', 'invalid query locator');
  return page(call, world, cursors, cursor, Number(from), locator);
}

function remember(cursors: Map<string, Cursor>, locator: string, cursor: Cursor): void {
  cursors.set(locator, cursor);
  const [oldest] = cursors.keys();
  if (cursors.size > keptCursors && oldest !== undefined) cursors.delete(oldest);
}
