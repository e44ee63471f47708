import { Simulation } from '../testing/simulation.js';
import type { Answer, Loose } from '../testing/simulation.js';
import { recordId } from './record-id.js';
import { parseSoql } from './soql.js';

const data = '/services/data/v68.0';
const byReference = (key: string): string => `${data}/sobjects/Task/Trunkline_Reference__c/${encodeURIComponent(key)}`;

let salesforce: Simulation;

beforeEach(async () => {
  salesforce = await Simulation.start({ provider: 'salesforce', credentials: { clientId: 'client', clientSecret: 'secret' } });
});
afterEach(() => salesforce.end());

const query = (soql: string, resource = 'query'): Promise<Answer> => salesforce.ask('GET', `${data}/${resource}?q=${encodeURIComponent(soql)}`);

describe('Salesforce simulator', () => {
  it('gives a token without expires_in, and the address to use it at', async () => {
    const answer = await salesforce.askForToken();
    expect(answer.json).toMatchObject({ token_type: 'Bearer', instance_url: salesforce.url, issued_at: expect.stringMatching(/^\d+$/) });
    expect(answer.json['expires_in']).toBeUndefined();
    const refused = await salesforce.askForToken('client', 'wrong');
    expect([refused.status, refused.json['error']]).toEqual([400, 'invalid_client']);
  });

  it('answers errors as an array, an ended session as INVALID_SESSION_ID', async () => {
    await salesforce.control('POST', '/clock', { advanceMs: 2 * 3_600_000 });
    const answer = await salesforce.ask('GET', `${data}/limits`);
    expect([answer.status, answer.json]).toEqual([401, [{ errorCode: 'INVALID_SESSION_ID', message: 'Session expired or invalid' }]]);
    await salesforce.logIn();
    expect((await salesforce.ask('GET', `${data}/limits`)).status).toBe(200);
  });
});

describe('Salesforce records', () => {
  it('upserts by external id: 201 created, 200 updated, one record for two at once', async () => {
    const task = { Subject: 'Call', Status: 'Completed', Description: 'Job WR-000001' };
    const [one, two] = await Promise.all([salesforce.ask('PATCH', byReference('key/1'), task), salesforce.ask('PATCH', byReference('key/1'), task)]);
    expect([one.status, two.status].toSorted()).toEqual([200, 201]);
    expect(one.json['id']).toBe(two.json['id']);
    const entries = await salesforce.journal();
    expect(entries).toMatchObject([
      { kind: 'created', recordType: 'Task', recordId: one.json['id'], effectReference: 'key/1', body: task },
      { kind: 'updated', recordId: one.json['id'], effectReference: 'key/1' },
    ]);
    expect((await salesforce.ask('PATCH', `${byReference('nobody')}?updateOnly=true`, task)).status).toBe(404);
    expect((await salesforce.ask('PATCH', byReference('key'), { ...task, Trunkline_Reference__c: 'key' })).json).toMatchObject([{ errorCode: 'INVALID_FIELD' }]);
  });

  it('writes nothing when an external id is ambiguous, and lists the records', async () => {
    for (const subject of ['one', 'two']) await salesforce.ask('POST', `${data}/sobjects/Task`, { Subject: subject, Legacy_Id__c: 'same' });
    const answer = await salesforce.ask('PATCH', `${data}/sobjects/Task/Legacy_Id__c/same`, { Subject: 'three' });
    expect(answer.status).toBe(300);
    expect(answer.json).toHaveLength(2);
    expect(await salesforce.journal()).toHaveLength(2);
  });

  it('keeps a unique field unique', async () => {
    await salesforce.ask('PATCH', byReference('k'), { Subject: 'a' });
    const second = await salesforce.ask('POST', `${data}/sobjects/Task`, { Subject: 'b', Trunkline_Reference__c: 'K' });
    expect([second.status, second.json]).toMatchObject([400, [{ errorCode: 'DUPLICATE_VALUE' }]]);
  });

  it('checks fields as the vendor does', async () => {
    const codes = async (object: string, body: object): Promise<unknown> => (await salesforce.ask('POST', `${data}/sobjects/${object}`, body)).json;
    expect(await codes('Contact', { FirstName: 'Ann' })).toMatchObject([{ errorCode: 'REQUIRED_FIELD_MISSING', fields: ['LastName'] }]);
    expect(await codes('Task', { Nonsense: 1 })).toMatchObject([{ errorCode: 'INVALID_FIELD' }]);
    expect(await codes('Task', { Subject: 'x'.repeat(256) })).toMatchObject([{ errorCode: 'STRING_TOO_LONG', fields: ['Subject'] }]);
    expect(await codes('Task', { ActivityDate: 'soon' })).toMatchObject([{ errorCode: 'JSON_PARSER_ERROR' }]);
    expect(await codes('Opportunity', { Name: 'x' })).toMatchObject([{ errorCode: 'NOT_FOUND' }]);
    expect((await salesforce.ask('POST', `${data}/sobjects/Task`, '{"Subject"')).json).toMatchObject([{ errorCode: 'JSON_PARSER_ERROR' }]);
    expect((await salesforce.ask('POST', `${data}/sobjects/Task`, 'x', { 'content-type': 'text/plain' })).status).toBe(415);
    expect((await salesforce.ask('PUT', `${data}/sobjects/Task`, {})).status).toBe(405);
  });

  it('lists its versions without a token, with or without a slash at the end', async () => {
    for (const path of ['/services/data/', '/services/data']) expect(await (await fetch(salesforce.url + path)).json()).toContainEqual({ label: "Winter '27", url: data, version: '68.0' });
    expect((await salesforce.ask('GET', '/services/data/v99.0/limits')).status).toBe(404);
    expect((await salesforce.ask('GET', `${data}/limits`)).json).toMatchObject({ DailyApiRequests: { Max: 100_000, Remaining: 99_998 } });
  });

  it('describes what may be mapped, and which field can carry our reference', async () => {
    const { fields } = (await salesforce.ask('GET', `${data}/sobjects/Task/describe`)).json;
    const reference = (fields as Loose).map((field) => field).find((field) => String(field['name']) === 'Trunkline_Reference__c');
    expect(reference).toMatchObject({ externalId: true, unique: true, custom: true, createable: true });
  });
});

describe('Salesforce queries', () => {
  it('queries with paging, soft-deleted rows only in queryAll', async () => {
    const records = Array.from({ length: 200 }, (_, index) => ({ attributes: { type: 'Task' }, Subject: `Call ${index}`, Priority: index % 2 === 0 ? 'High' : 'Low' }));
    for (let batch = 0; batch < 3; batch += 1) await salesforce.ask('POST', `${data}/composite/sobjects`, { allOrNone: true, records });
    const first = await salesforce.ask('GET', `${data}/query?q=${encodeURIComponent("SELECT Id, Subject FROM Task WHERE Priority = 'High' ORDER BY Subject, Id")}`, undefined, { 'sforce-query-options': 'batchSize=200' });
    expect(first.json).toMatchObject({ totalSize: 300, done: false });
    const second = await salesforce.ask('GET', String(first.json['nextRecordsUrl']));
    expect(second.json).toMatchObject({ totalSize: 300, done: true });
    expect((first.json['records'] as Loose).length + (second.json['records'] as Loose).length).toBe(300);
    const id = String((first.json['records'] as unknown as readonly Loose[])[0]?.['Id']);
    expect((await salesforce.ask('DELETE', `${data}/sobjects/Task/${id}`)).status).toBe(204);
    expect((await salesforce.ask('GET', `${data}/sobjects/Task/${id}`)).json).toMatchObject([{ errorCode: 'ENTITY_IS_DELETED' }]);
    expect((await query('SELECT count() FROM Task')).json['totalSize']).toBe(599);
    expect((await query('SELECT Id FROM Task WHERE IsDeleted = true', 'queryAll')).json['totalSize']).toBe(1);
  });

  it('may give shorter pages than asked for', async () => {
    await salesforce.control('PUT', '/settings', { options: { shortPages: true } });
    const records = Array.from({ length: 200 }, (_, index) => ({ attributes: { type: 'Task' }, Subject: `Call ${index}` }));
    for (let batch = 0; batch < 2; batch += 1) await salesforce.ask('POST', `${data}/composite/sobjects`, { records });
    const seen = new Set<string>();
    let pages = 0;
    for (let next: unknown = `${data}/query?q=${encodeURIComponent('SELECT Id FROM Task')}`; typeof next === 'string'; pages += 1) {
      const { json } = await salesforce.ask('GET', next, undefined, { 'sforce-query-options': 'batchSize=200' });
      for (const id of (json['records'] as Loose).map((record) => String(record['Id']))) seen.add(id);
      next = json['nextRecordsUrl'];
    }
    expect([seen.size, pages > 2]).toEqual([400, true]);
  });

  it('answers queries it cannot read or run', async () => {
    expect((await query('SELECT FROM Task')).json).toMatchObject([{ errorCode: 'MALFORMED_QUERY' }]);
    expect((await query('SELECT Id FROM Opportunity')).json).toMatchObject([{ errorCode: 'INVALID_TYPE' }]);
    expect((await query('SELECT Nope FROM Task')).json).toMatchObject([{ errorCode: 'INVALID_FIELD' }]);
    expect(() => parseSoql("SELECT Id FROM Task WHERE Subject = 'open")).toThrow('unexpected char');
  });
});

describe('Salesforce batches', () => {
  it('answers 200 for a collection with failed items; with allOrNone nothing of it stays', async () => {
    const records = [{ attributes: { type: 'Contact' }, LastName: 'Lee', Trunkline_Reference__c: 'c1' }, { attributes: { type: 'Contact' }, FirstName: 'Ann' }];
    const partly = await salesforce.ask('POST', `${data}/composite/sobjects`, { records });
    expect([partly.status, partly.json]).toMatchObject([200, [{ success: true }, { success: false, errors: [{ statusCode: 'REQUIRED_FIELD_MISSING' }] }]]);
    const none = await salesforce.ask('PATCH', `${data}/composite/sobjects/Contact/Trunkline_Reference__c`, { allOrNone: true, records: [{ attributes: { type: 'Contact' }, LastName: 'New', Trunkline_Reference__c: 'c2' }, { attributes: { type: 'Contact' }, Trunkline_Reference__c: 'c3' }] });
    expect(none.json).toMatchObject([{ success: false, errors: [{ statusCode: 'ALL_OR_NONE_OPERATION_ROLLED_BACK' }] }, { success: false, errors: [{ statusCode: 'REQUIRED_FIELD_MISSING' }] }]);
    expect((await query('SELECT count() FROM Contact')).json['totalSize']).toBe(1);
    expect(await salesforce.journal()).toHaveLength(1);
    expect((await salesforce.ask('GET', `${data}/sobjects/Contact/Trunkline_Reference__c/c2`)).status).toBe(404);
  });

  it('runs composite requests with references, and rolls all back when asked', async () => {
    const contact = { method: 'POST', url: `${data}/sobjects/Contact`, referenceId: 'who', body: { LastName: 'Lee' } };
    const task = { method: 'PATCH', url: byReference('cmp'), referenceId: 'task', body: { Subject: 'Call', WhoId: '@{who.id}' } };
    const done = await salesforce.ask('POST', `${data}/composite`, { allOrNone: true, compositeRequest: [contact, task] });
    expect(done.json).toMatchObject({ compositeResponse: [{ httpStatusCode: 201 }, { httpStatusCode: 201, referenceId: 'task' }] });
    const failed = await salesforce.ask('POST', `${data}/composite`, { allOrNone: true, compositeRequest: [contact, { ...task, url: byReference('other'), body: { Nope: 1 } }] });
    expect(failed.json).toMatchObject({ compositeResponse: [{ httpStatusCode: 400, body: [{ errorCode: 'PROCESSING_HALTED' }] }, { body: [{ errorCode: 'INVALID_FIELD' }] }] });
    expect((await query('SELECT count() FROM Contact')).json['totalSize']).toBe(1);
  });

  it('makes ids with their check characters', () => {
    expect(recordId('00T', 1)).toBe('00T5g0000000001EAA');
    expect(new Set(Array.from({ length: 5_000 }, (_, index) => recordId('500', index + 1))).size).toBe(5_000);
  });
});

describe('Salesforce request limit', () => {
  it('is a 403 without any hint, and a header on every answer', async () => {
    const salesforce = await Simulation.start({ provider: 'salesforce', limits: { perMinute: 3 } });
    for (let call = 1; call <= 3; call += 1) expect((await salesforce.ask('GET', `${data}/limits`)).headers.get('sforce-limit-info')).toBe(`api-usage=${call}/3`);
    const refused = await salesforce.ask('GET', `${data}/limits`);
    expect([refused.status, refused.headers.get('retry-after'), refused.json]).toEqual([403, null, [{ errorCode: 'REQUEST_LIMIT_EXCEEDED', message: 'TotalRequests Limit exceeded.' }]]);
    await salesforce.end();
  });
});
