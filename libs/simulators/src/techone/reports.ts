import { randomUUID } from 'node:crypto';
import type { Call, JsonObject, Reply } from '../kit/call.js';
import { isObject } from '../kit/call.js';
import type { StoredRecord } from '../kit/journal-entry.js';
import type { Route, World } from '../kit/provider.js';
import { FilterSyntax, fieldsOf, matches, parseFilter, requiredValue } from './filter.js';
import type { Filter } from './filter.js';
import { errorReply, message } from './shapes.js';
import { changedAtMs, numberField, referenceField, shownBefore, workRequestType } from './work-requests.js';

const maxPageSize = 10_000;

interface Report {
  readonly recordType: string;
  readonly keyColumn: string;
  readonly columns: readonly string[];
}

/** The two reports the connector's set-up asks a council to publish. */
const reports: Readonly<Record<string, Report>> = {
  CONNECTOR_REQUESTS: {
    recordType: workRequestType,
    keyColumn: numberField,
    columns: ['WorkRequestSystemName', numberField, 'WorkRequestNumberInternal', 'Description', 'Details', 'RequestTypeCode', 'PriorityCode', 'RequestedBy', 'Status', referenceField, 'CreatedDateTime', 'ModifiedDateTime', ...Array.from({ length: 11 }, (_, index) => `Userfield${index + 2}Alpha`)],
  },
  CONNECTOR_CONTACTS: { recordType: 'Contact', keyColumn: 'ContactNumber', columns: ['ContactNumber', 'Name', 'EmailAddress', 'PhoneNumber', 'ModifiedDateTime'] },
};

export const reportRoutes: readonly Route[] = ['v1', 'v2'].map((version): Route => ({ operation: 'runReport', method: 'GET', path: `/Api/RaaS/${version}/{report}`, handle: runReport }));

function runReport(call: Call, world: World): Reply {
  const report = reports[call.parameter('report')];
  if (report === undefined) return errorReply(404, `Report ${call.parameter('report')} was not found.`);
  const page = call.wholeNumber('page', 1);
  const pageSize = call.wholeNumber('pageSize', 1_000);
  if (!(page >= 1 && pageSize >= 1 && pageSize <= maxPageSize)) return errorReply(400, `page starts at 1, pageSize is 1 to ${maxPageSize}.`);
  const omitted = world.settings.options['omittedColumns'];
  const columns = report.columns.filter((column) => !(Array.isArray(omitted) && omitted.includes(column)));
  const filter = readFilter(call.query.get('q') ?? '', columns);
  if (filter instanceof FilterSyntax) return { status: 200, body: answer([], 0, [message('RAAS0021', filter.message)]) };
  const rows = rowsOf(call, world, report, filter);
  const wanted = rows.slice((page - 1) * pageSize, page * pageSize);
  return { status: 200, body: answer(wanted.map((row) => Object.fromEntries(columns.map((column) => [column, row[column] ?? null]))), rows.length, []) };
}

function answer(rows: readonly JsonObject[], total: number, messages: readonly JsonObject[]): JsonObject {
  return { Key: randomUUID(), DataSet: rows, TotalRecordCount: total, Messages: messages };
}

function readFilter(text: string, columns: readonly string[]): Filter | undefined | FilterSyntax {
  try {
    const filter = parseFilter(text);
    const unknown = filter === undefined ? undefined : fieldsOf(filter).find((field) => !columns.includes(field));
    return unknown === undefined ? filter : new FilterSyntax(`${unknown} is not a column of the report.`);
  } catch (error) {
    if (error instanceof FilterSyntax) return error;
    throw error;
  }
}

/** Rows come in no useful order, but in the same one for every page: that of a hash of their key. */
function rowsOf(call: Call, world: World, report: Report, filter: Filter | undefined): readonly JsonObject[] {
  const found: JsonObject[] = [];
  for (const record of candidates(world, report, filter)) {
    const row = visible(record, call);
    if (row !== undefined && (filter === undefined || matches(filter, row))) found.push(row);
  }
  if (found.length < 2) return found;
  const ranked = found.map((row) => ({ row, rank: rankOf(String(row[report.keyColumn])) }));
  return ranked.toSorted((left, right) => left.rank - right.rank).map(({ row }) => row);
}

/** FNV-1a, mixed once more so that neighbours part. */
function rankOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index += 1) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  return Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> 0;
}

function candidates(world: World, { recordType }: Report, filter: Filter | undefined): Iterable<StoredRecord> {
  if (recordType !== workRequestType || filter === undefined) return world.store.all(recordType);
  const reference = requiredValue(filter, referenceField);
  if (reference !== undefined) return world.store.find(recordType, 'reference', reference);
  const number = requiredValue(filter, numberField);
  if (number === undefined) return world.store.all(recordType);
  const record = world.store.get(recordType, number);
  return record === undefined ? [] : [record];
}

/** The row as searches see it now: a change shows only `searchLagMs` after it was made. */
function visible(record: StoredRecord, call: Call): JsonObject | undefined {
  if (call.at - Number(record[changedAtMs]) >= call.searchLagMs) return record;
  const before = record[shownBefore];
  return isObject(before) ? before : undefined;
}
