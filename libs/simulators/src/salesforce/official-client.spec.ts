import { Connection, OAuth2 } from 'jsforce';
import { Simulation } from '../testing/simulation.js';

/** The client Salesforce maintains, with only the login address changed. */
describe('jsforce against the Salesforce simulator', () => {
  let salesforce: Simulation;
  let connection: Connection;

  beforeAll(async () => {
    salesforce = await Simulation.start({ provider: 'salesforce', credentials: { clientId: 'client', clientSecret: 'secret' } });
    connection = new Connection({ version: '68.0', oauth2: { loginUrl: salesforce.url, clientId: 'client', clientSecret: 'secret' } });
    await connection.authorize({ grant_type: 'client_credentials' });
  });
  afterAll(() => salesforce.end());

  it('logs in and knows who it is', async () => {
    expect(connection.instanceUrl).toBe(salesforce.url);
    await expect(connection.identity()).resolves.toMatchObject({ organization_id: expect.stringMatching(/^00D/) });
    await expect(connection.limits()).resolves.toMatchObject({ DailyApiRequests: { Max: 100_000 } });
  });

  it('describes the objects', async () => {
    expect((await connection.describeGlobal()).sobjects.map(({ name }) => name)).toEqual(['Task', 'Case', 'Contact']);
    expect((await connection.describe('Task')).fields.find(({ name }) => name === 'Trunkline_Reference__c')).toMatchObject({ externalId: true, unique: true });
  });

  it.each(['Task', 'Case', 'Contact'])('creates, reads, updates and deletes a %s', async (type) => {
    const fields = type === 'Contact' ? { LastName: 'Lee' } : { Subject: 'Call' };
    const created = await connection.create(type, fields);
    const id = String(created.id);
    await expect(connection.retrieve(type, id)).resolves.toMatchObject({ ...fields, attributes: { type } });
    await expect(connection.update(type, { Id: id, Description: 'changed' })).resolves.toMatchObject({ id, success: true });
    await expect(connection.retrieve(type, [id])).resolves.toMatchObject([{ Description: 'changed' }]);
    await expect(connection.destroy(type, id)).resolves.toMatchObject({ success: true });
    await expect(connection.retrieve(type, id)).rejects.toMatchObject({ errorCode: 'ENTITY_IS_DELETED' });
  });

  it('upserts one and many by external id', async () => {
    const one = await connection.upsert('Task', { Trunkline_Reference__c: 'js-1', Subject: 'Call' }, 'Trunkline_Reference__c');
    expect(one).toMatchObject({ success: true, created: true });
    const many = [{ Trunkline_Reference__c: 'js-1', Subject: 'Again' }, { Trunkline_Reference__c: 'js-2', Subject: 'New' }];
    await expect(connection.upsert('Task', many, 'Trunkline_Reference__c')).resolves.toMatchObject([{ success: true, created: false, id: one.id }, { success: true, created: true }]);
  });

  it('writes collections', async () => {
    const created = await connection.create('Contact', [{ LastName: 'A' }, { LastName: 'B' }]);
    const ids = created.map(({ id }) => String(id));
    await expect(connection.update('Contact', ids.map((Id) => ({ Id, Title: 'Dr' })))).resolves.toMatchObject([{ success: true }, { success: true }]);
    await expect(connection.destroy('Contact', ids)).resolves.toMatchObject([{ success: true }, { success: true }]);
  });

  it('queries, counts and follows pages', async () => {
    await connection.create('Case', Array.from({ length: 200 }, (_, index) => ({ Subject: `Case ${index}`, Origin: 'Phone' })));
    await connection.create('Case', Array.from({ length: 50 }, (_, index) => ({ Subject: `More ${index}`, Origin: 'Web' })));
    expect((await connection.query("SELECT Id FROM Case WHERE Origin = 'Phone'")).totalSize).toBe(200);
    expect(await connection.sobject('Case').count({ Subject: { $like: 'More%' } })).toBe(50);
    const found = await connection.sobject('Case').find({ Origin: { $in: ['Web', 'Phone'] } }, ['Id', 'CaseNumber']).sort({ CaseNumber: -1 }).limit(2);
    expect(found).toHaveLength(2);
    await expect(connection.sobject('Case').findOne({ Subject: 'Case 7' })).resolves.toMatchObject({ Subject: 'Case 7' });
    const all = await connection.query('SELECT Id FROM Case', { autoFetch: true, maxFetch: 1_000, headers: { 'Sforce-Query-Options': 'batchSize=200' } });
    expect(all.records.length).toBeGreaterThanOrEqual(250);
  });

  it('lists recent, updated and deleted records', async () => {
    const { id } = await connection.create('Contact', { LastName: 'Gone' });
    await connection.destroy('Contact', String(id));
    const [from, to] = [new Date(Date.now() - 60_000), new Date(Date.now() + 60_000)];
    expect((await connection.deleted('Contact', from, to)).deletedRecords.map((record) => record.id)).toContain(id);
    expect((await connection.updated('Task', from, to)).ids.length).toBeGreaterThan(0);
    expect((await connection.recent('Task', 1)).length).toBe(1);
  });

  it('searches, and describes layouts, list views and quick actions', async () => {
    await connection.create('Contact', { LastName: 'Findable' });
    await expect(connection.search('FIND {findable} IN ALL FIELDS RETURNING Contact(Id, LastName)')).resolves.toMatchObject({ searchRecords: [{ LastName: 'Findable' }] });
    const task = connection.sobject('Task');
    await expect(Promise.all([task.layouts(), task.compactLayouts(), task.approvalLayouts(), task.listviews(), task.quickActions()])).resolves.toHaveLength(5);
  });

  it('reports errors under their codes', async () => {
    await expect(connection.create('Contact', { FirstName: 'No last name' })).rejects.toMatchObject({ errorCode: 'REQUIRED_FIELD_MISSING' });
    await salesforce.control('POST', '/faults', { match: { operation: 'createRecord' }, status: 403, times: 1 });
    await expect(connection.create('Contact', { LastName: 'Limited' })).rejects.toMatchObject({ errorCode: 'REQUEST_LIMIT_EXCEEDED' });
    await connection.create('Task', { Legacy_Id__c: 'twice' });
    await connection.create('Task', { Legacy_Id__c: 'twice' });
    await expect(connection.upsert('Task', { Legacy_Id__c: 'twice', Subject: 'x' }, 'Legacy_Id__c')).rejects.toMatchObject({ errorCode: 'MULTIPLE_CHOICES' });
  });

  it('signs a person in with PKCE, refreshes, and gives the grant back', async () => {
    const redirectUri = 'https://trunkline.example/oauth/callback/salesforce';
    const oauth2 = new OAuth2({ loginUrl: salesforce.url, clientId: 'client', clientSecret: 'secret', redirectUri, useVerifier: true });
    const sent = await fetch(oauth2.getAuthorizationUrl({ scope: 'api refresh_token', state: 'here' }), { redirect: 'manual' });
    const back = new URL(sent.headers.get('location') ?? '');
    expect([back.origin + back.pathname, back.searchParams.get('state')]).toEqual([redirectUri, 'here']);
    const code = back.searchParams.get('code') ?? '';
    const granted = await oauth2.requestToken(code);
    expect(granted).toMatchObject({ instance_url: salesforce.url, refresh_token: expect.any(String) as unknown });
    await expect(new Connection({ version: '68.0', instanceUrl: granted.instance_url, accessToken: granted.access_token }).limits()).resolves.toMatchObject({ DailyApiRequests: { Max: 100_000 } });
    const refreshToken = granted.refresh_token ?? '';
    expect(await oauth2.refreshToken(refreshToken)).not.toHaveProperty('refresh_token');
    await oauth2.revokeToken(refreshToken);
    await expect(oauth2.refreshToken(refreshToken)).rejects.toMatchObject({ name: 'invalid_grant' });
    await expect(new Connection({ version: '68.0', instanceUrl: granted.instance_url, accessToken: granted.access_token }).limits()).rejects.toMatchObject({ errorCode: 'INVALID_SESSION_ID' });
  });
});
