import type { Call, JsonObject, Reply } from '../kit/call.js';
import type { Route, World } from '../kit/provider.js';
import { salesforceObjects } from './objects.js';
import type { ObjectField, SalesforceObject } from './objects.js';
import { dataRoot, objectOf, versionOf, withAttributes } from './records.js';
import { dateTime, refuse } from './shapes.js';
import { organisationId } from './auth.js';
import { recordId } from './record-id.js';

const object = `${dataRoot}/sobjects/{object}`;

export const describeRoutes: readonly Route[] = [
  { operation: 'listVersions', method: 'GET', path: '/services/data', isOpen: true, handle: () => ok([66, 67, 68].map((version) => ({ label: ({ 66: "Spring '26", 67: "Summer '26" })[version] ?? "Winter '27", url: `/services/data/v${version}.0`, version: `${version}.0` }))) },
  { operation: 'listResources', method: 'GET', path: dataRoot, handle: resources },
  { operation: 'readLimits', method: 'GET', path: `${dataRoot}/limits`, handle: (call, world) => (versionOf(call), ok({ DailyApiRequests: world.allowance() })) },
  { operation: 'describeGlobal', method: 'GET', path: `${dataRoot}/sobjects`, handle: (call) => (versionOf(call), ok({ encoding: 'UTF-8', maxBatchSize: 200, sobjects: salesforceObjects.map((item) => summary(call, item)) })) },
  { operation: 'describeObject', method: 'GET', path: `${object}/describe`, handle: (call) => ok({ ...summary(call, objectOf(call)), fields: objectOf(call).fields.map(described), childRelationships: [], recordTypeInfos: [] }) },
  { operation: 'describeLayouts', method: 'GET', path: `${object}/describe/layouts`, handle: (call) => (objectOf(call), ok({ layouts: [], recordTypeMappings: [], recordTypeSelectorRequired: [false] })) },
  { operation: 'describeNamedLayouts', method: 'GET', path: `${object}/describe/namedLayouts/{layout}`, handle: (call) => (objectOf(call), ok({ layouts: [] })) },
  { operation: 'describeCompactLayouts', method: 'GET', path: `${object}/describe/compactLayouts`, handle: (call) => (objectOf(call), ok({ compactLayouts: [], defaultCompactLayoutId: null, recordTypeCompactLayoutMappings: [] })) },
  { operation: 'describeApprovalLayouts', method: 'GET', path: `${object}/describe/approvalLayouts`, handle: (call) => (objectOf(call), ok({ approvalLayouts: [] })) },
  { operation: 'listListViews', method: 'GET', path: `${object}/listviews`, handle: (call) => ok({ done: true, listviews: [], nextRecordsUrl: null, size: 0, sobjectType: objectOf(call).name }) },
  { operation: 'listQuickActions', method: 'GET', path: `${object}/quickActions`, handle: (call) => (objectOf(call), ok([])) },
  { operation: 'readObject', method: 'GET', path: object, handle: (call, world) => ok({ objectDescribe: summary(call, objectOf(call)), recentItems: recent(call, world, objectOf(call)) }) },
  { operation: 'listRecent', method: 'GET', path: `${dataRoot}/recent`, handle: (call, world) => ok(salesforceObjects.flatMap((item) => recent(call, world, item)).slice(0, call.wholeNumber('limit', 200))) },
  { operation: 'listUpdated', method: 'GET', path: `${object}/updated`, handle: updated },
  { operation: 'listDeleted', method: 'GET', path: `${object}/deleted`, handle: deleted },
];

function resources(call: Call): Reply {
  const root = `/services/data/${versionOf(call)}`;
  return ok({ sobjects: `${root}/sobjects`, query: `${root}/query`, queryAll: `${root}/queryAll`, limits: `${root}/limits`, composite: `${root}/composite`, recent: `${root}/recent`, identity: `${call.origin}/id/${organisationId}/${recordId('005', 1)}` });
}

function summary(call: Call, item: SalesforceObject): JsonObject {
  const root = `/services/data/${versionOf(call)}/sobjects/${item.name}`;
  return {
    name: item.name,
    label: item.label,
    labelPlural: item.labelPlural,
    keyPrefix: item.keyPrefix,
    custom: false,
    createable: true,
    updateable: true,
    deletable: true,
    queryable: true,
    retrieveable: true,
    searchable: true,
    undeletable: true,
    urls: { sobject: root, describe: `${root}/describe`, rowTemplate: `${root}/{ID}` },
  };
}

function described(field: ObjectField): JsonObject {
  const isWritable = field.isReadOnly !== true;
  return {
    name: field.name,
    label: field.label,
    type: field.type,
    length: field.length ?? 0,
    custom: field.name.endsWith('__c'),
    nillable: field.isRequired !== true && field.name !== 'Id',
    createable: isWritable,
    updateable: isWritable && field.name !== 'TaskSubtype',
    externalId: field.isExternalId === true,
    unique: field.isUnique === true,
    idLookup: field.isExternalId === true || field.name === 'Id',
    defaultedOnCreate: field.default !== undefined,
    picklistValues: (field.values ?? []).map((value) => ({ value, label: value, active: true, defaultValue: value === field.default })),
    referenceTo: field.referenceTo ?? [],
    filterable: field.type !== 'textarea',
    sortable: field.type !== 'textarea',
  };
}

function recent(call: Call, world: World, item: SalesforceObject): readonly JsonObject[] {
  const live = [...world.store.all(item.name)].filter((record) => record['IsDeleted'] !== true);
  return live.slice(-200).toReversed().map((record) => withAttributes(call, item, record, ['Id', item.nameField]));
}

function updated(call: Call, world: World): Reply {
  const { start, end } = period(call);
  const ids = [...world.store.all(objectOf(call).name)].filter((record) => record['IsDeleted'] !== true && isWithin(record['SystemModstamp'], start, end)).map((record) => record['Id']);
  return ok({ ids, latestDateCovered: dateTime(Math.min(end, call.at)) });
}

function deleted(call: Call, world: World): Reply {
  const { start, end } = period(call);
  const gone = [...world.store.all(objectOf(call).name)].filter((record) => record['IsDeleted'] === true && isWithin(record['SystemModstamp'], start, end));
  const deletedRecords = gone.map((record) => ({ id: record['Id'], deletedDate: record['SystemModstamp'] }));
  return ok({ deletedRecords, earliestDateAvailable: dateTime(call.at - 15 * 86_400_000), latestDateCovered: dateTime(Math.min(end, call.at)) });
}

function period(call: Call): { readonly start: number; readonly end: number } {
  const start = Date.parse(call.query.get('start') ?? '');
  const end = Date.parse(call.query.get('end') ?? '');
  if (Number.isNaN(start) || Number.isNaN(end) || start >= end) throw refuse(400, 'INVALID_REPLICATION_DATE', 'startDate before or equal to endDate, or not a date');
  return { start, end };
}

function isWithin(time: unknown, start: number, end: number): boolean {
  const at = Date.parse(String(time));
  return at >= start && at <= end;
}

function ok(body: unknown): Reply {
  return { status: 200, body };
}
