import { Simulation } from '../testing/simulation.js';
import type { Loose } from '../testing/simulation.js';
import { referenceInText } from './genesys.js';

const contacts = '/api/v2/externalcontacts/contacts';

let genesys: Simulation;
let contactId: string;

beforeAll(async () => {
  genesys = await Simulation.start({ provider: 'genesys' });
  contactId = String((await genesys.ask('POST', contacts, { firstName: 'Ann', lastName: 'Lee', workPhone: { e164: '+61390001234' } })).json['id']);
});
afterAll(() => genesys.end());

describe('Genesys Cloud simulator', () => {
  it('gives a token for Basic client credentials only', async () => {
    expect((await genesys.askForToken()).json).toMatchObject({ token_type: 'bearer', expires_in: 86_399 });
    const withoutBasic = await genesys.ask('POST', '/oauth/token', 'grant_type=client_credentials&client_id=client&client_secret=secret');
    expect(withoutBasic.status).toBe(401);
    expect(withoutBasic.json).toMatchObject({ error: 'invalid_client' });
  });

  it('tells a missing token from a wrong one', async () => {
    expect((await genesys.ask('GET', '/api/v2/tokens/me', undefined, { authorization: 'Bearer wrong' })).json).toMatchObject({ status: 401, code: 'bad.credentials' });
    const missing = await fetch(`${genesys.url}/api/v2/tokens/me`);
    expect(await missing.json()).toMatchObject({ code: 'authentication.required', contextId: missing.headers.get('inin-correlation-id') });
    expect((await genesys.ask('GET', '/api/v2/tokens/me')).json).toMatchObject({ organization: { id: expect.any(String) }, OAuthClient: {} });
  });

  it('answers 200 where other providers answer 201', async () => {
    const created = await genesys.ask('POST', `${contacts}/${contactId}/notes`, { noteText: 'Inbound call, 132 s' });
    expect(created.status).toBe(200);
    expect(created.json).toMatchObject({ entityId: contactId, entityType: 'contact', noteText: 'Inbound call, 132 s' });
    expect(created.headers.get('inin-ratelimit-allowed')).toBeNull();
    expect((await genesys.ask('GET', `${contacts}/${contactId}/notes/${String(created.json['id'])}`)).json).toEqual(created.json);
  });

  it('pages notes in either order', async () => {
    const other = String((await genesys.ask('POST', contacts, { lastName: 'Paged' })).json['id']);
    for (const text of ['one', 'two', 'three']) await genesys.ask('POST', `${contacts}/${other}/notes`, { noteText: text });
    const first = await genesys.ask('GET', `${contacts}/${other}/notes?pageSize=2&sortOrder=createDate:desc`);
    expect(first.json).toMatchObject({ total: 3, pageCount: 2, pageNumber: 1 });
    expect((first.json['entities'] as Loose).map((note) => note['noteText'])).toEqual(['three', 'two']);
    const second = await genesys.ask('GET', String(first.json['nextUri']));
    expect((second.json['entities'] as Loose).map((note) => note['noteText'])).toEqual(['one']);
    expect((await genesys.ask('GET', `${contacts}/${other}/notes?pageSize=101`)).status).toBe(400);
    expect((await genesys.ask('GET', `${contacts}/${other}/notes?pageSize=100&pageNumber=11`)).status).toBe(400);
  });

  it('puts our reference into the journal, found in the note text', async () => {
    const note = await genesys.ask('POST', `${contacts}/${contactId}/notes`, { noteText: 'Called about bins.\n[trunkline:k-1.a_b]' }, { 'x-request-id': 'ours-7' });
    const entries = (await genesys.journal()).map((entry) => entry);
    expect(entries.at(-1)).toMatchObject({ operation: 'createNote', kind: 'created', recordType: 'note', recordId: note.json['id'], effectReference: 'k-1.a_b', clientRequestId: 'ours-7', requestId: note.headers.get('inin-correlation-id') });
    expect(referenceInText('Reference: abc-1. More')).toBe('abc-1');
    expect(referenceInText('no such thing')).toBeUndefined();
  });
});

describe('Genesys Cloud contacts', () => {
  it('enriches: 201 when it creates, 200 when it updates, one contact either way', async () => {
    const identifier = { type: 'ExternalId', value: 'resident-9', externalSource: { id: 'trunkline' } };
    const request = { matchingIdentifiers: [identifier], action: 'Upsert', contact: { lastName: 'Nine' }, fieldRules: { defaultAction: 'PreferProvided' } };
    const [one, two] = await Promise.all([genesys.ask('POST', `${contacts}/enrich`, request), genesys.ask('POST', `${contacts}/enrich`, request)]);
    expect([one.status, two.status].toSorted()).toEqual([200, 201]);
    expect(one.json['id']).toBe(two.json['id']);
    expect((await genesys.ask('POST', '/api/v2/externalcontacts/identifierlookup/contacts', identifier)).json['id']).toBe(one.json['id']);
    expect((await genesys.ask('POST', `${contacts}/enrich`, { ...request, action: 'Insert' })).json['code']).toBe('matching.contact.found');
    const unknown = { ...identifier, value: 'nobody' };
    expect((await genesys.ask('POST', '/api/v2/externalcontacts/identifierlookup/contacts', unknown)).status).toBe(404);
  });

  it('limits bulk enrich to ten and reports each item', async () => {
    const item = (value: string): unknown => ({ matchingIdentifiers: [{ type: 'Email', value }], action: 'Upsert', contact: { lastName: value } });
    const answer = await genesys.ask('POST', '/api/v2/externalcontacts/bulk/contacts/enrich', { entities: [item('a@council.example'), { action: 'Upsert' }] });
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({ errorCount: 1, errorIndexes: [1], results: [{ success: true, status: 201 }, { success: false, status: 400 }] });
    expect((await genesys.ask('POST', '/api/v2/externalcontacts/bulk/contacts/enrich', { entities: Array.from({ length: 11 }, () => item('b@council.example')) })).status).toBe(400);
  });

  it('finds a contact by phone number, by scan and by search', async () => {
    const found = await genesys.ask('GET', `/api/v2/externalcontacts/reversewhitepageslookup?lookupVal=${encodeURIComponent('+61390001234')}`);
    expect((found.json['contacts'] as Loose).map((contact) => contact['id'])).toEqual([contactId]);
    expect((await genesys.ask('GET', `${contacts}?q=ann`)).json).toMatchObject({ total: 1 });
    for (let index = 0; index < 12; index += 1) await genesys.ask('POST', contacts, { lastName: `Scanned ${index}` });
    const page = await genesys.ask('GET', '/api/v2/externalcontacts/scan/contacts?limit=10');
    expect(page.json['entities']).toHaveLength(10);
    const rest = await genesys.ask('GET', String(page.json['nextUri']));
    expect((rest.json['entities'] as Loose).length).toBeGreaterThan(0);
    await genesys.control('POST', '/clock', { advanceMs: 25 * 3_600_000 });
    await genesys.logIn();
    expect((await genesys.ask('GET', String(page.json['nextUri']))).status).toBe(400);
  });

  it('refuses a broken body, an empty note and an unknown contact in its own error shape', async () => {
    expect((await genesys.ask('POST', `${contacts}/${contactId}/notes`, '{"noteText":')).json).toMatchObject({ status: 400, code: 'bad.request', details: [], errors: [] });
    expect((await genesys.ask('POST', `${contacts}/${contactId}/notes`, { noteText: ' ' })).status).toBe(400);
    expect((await genesys.ask('POST', `${contacts}/nobody/notes`, { noteText: 'x' })).json).toMatchObject({ status: 404, code: 'not.found' });
  });
});

describe('Genesys Cloud rate limit', () => {
  it('allows 300 calls in a minute of its own clock, counts them per window, and says how long to wait', async () => {
    const genesys = await Simulation.start({ provider: 'genesys', limits: 'vendor' });
    for (let call = 0; call < 300; call += 1) expect((await genesys.ask('GET', '/api/v2/tokens/me')).status).toBe(200);
    const refused = await genesys.ask('GET', '/api/v2/tokens/me');
    const seconds = Number(refused.headers.get('retry-after'));
    expect(refused.status).toBe(429);
    expect(refused.json).toMatchObject({ code: 'too.many.requests.retry.after', limit: { key: 'client.credentials.token.rate.per.minute', value: 300 } });
    expect(refused.json['message']).toContain(`Retry the request in [${seconds}] seconds`);
    expect(refused.headers.get('inin-ratelimit-count')).toBe('300');
    await genesys.control('POST', '/clock', { advanceMs: seconds * 1_000 });
    expect((await genesys.ask('GET', '/api/v2/tokens/me')).status).toBe(200);
    expect((await genesys.control('GET', '/stats')).json['windows']).toMatchObject([{ calls: 300, refused: 1 }, { calls: 1, refused: 0 }]);
    await genesys.end();
  });
});
