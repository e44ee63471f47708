import { Simulation } from '../testing/simulation.js';
import platformClient from 'purecloud-platform-client-v2';

/** The vendor's own client, pointed here by its documented gateway setting: host, protocol and port, for login and API alike. */
describe('purecloud-platform-client-v2 against the Genesys Cloud simulator', () => {
  let genesys: Simulation;
  const client = platformClient.ApiClient.instance;
  const api = new platformClient.ExternalContactsApi();

  beforeAll(async () => {
    genesys = await Simulation.start({ provider: 'genesys', credentials: { clientId: 'client', clientSecret: 'secret' } });
    client.setGateway({ host: '127.0.0.1', protocol: 'http', port: Number(new URL(genesys.url).port) } as unknown as Parameters<typeof client.setGateway>[0]);
    await client.loginClientCredentialsGrant('client', 'secret');
  });
  afterAll(() => genesys.end());

  it('reads its token', async () => {
    await expect(new platformClient.TokensApi().getTokensMe()).resolves.toMatchObject({ OAuthClient: { state: 'active' } });
  });

  it('creates, reads, changes, finds and deletes a contact', async () => {
    const created = await api.postExternalcontactsContacts({ firstName: 'Ann', lastName: 'Lee', workEmail: 'ann@council.example' });
    const id = created.id ?? '';
    await expect(api.getExternalcontactsContact(id)).resolves.toMatchObject({ lastName: 'Lee' });
    await expect(api.putExternalcontactsContact(id, { ...created, lastName: 'Lea' })).resolves.toMatchObject({ lastName: 'Lea', workEmail: 'ann@council.example' });
    await expect(api.patchExternalcontactsContact(id, { changes: [{ field: 'title', action: 'Set', value: 'Ms' as unknown as object }] })).resolves.toMatchObject({ title: 'Ms' });
    await expect(api.postExternalcontactsIdentifierlookupContacts({ type: 'Email', value: 'ANN@council.example' })).resolves.toMatchObject({ id });
    await expect(api.getExternalcontactsContactIdentifiers(id)).resolves.toMatchObject({ entities: [{ type: 'Email' }] });
    await expect(api.getExternalcontactsContacts({ q: 'Lea' })).resolves.toMatchObject({ total: 1 });
    await expect(api.postExternalcontactsContactsSearch({ pageNumber: 1, pageSize: 5 })).resolves.toMatchObject({ total: 1 });
    await expect(api.getExternalcontactsScanContacts({ limit: 10 })).resolves.toMatchObject({ entities: [{ id }] });
    await api.deleteExternalcontactsContact(id);
    await expect(api.getExternalcontactsContact(id)).rejects.toMatchObject({ code: 'not.found' });
  });

  it('writes, lists, changes and deletes notes, also in bulk', async () => {
    const contact = await api.postExternalcontactsContactsEnrich({ matchingIdentifiers: [{ type: 'Phone', value: '+61390005678' }], action: 'Upsert', contact: { lastName: 'Noted' } });
    const id = contact.id ?? '';
    const note = await api.postExternalcontactsContactNotes(id, { noteText: 'first', createdBy: { version: 1 } });
    await expect(api.getExternalcontactsContactNotes(id, { pageSize: 5, sortOrder: 'createDate:desc' })).resolves.toMatchObject({ total: 1, entities: [{ noteText: 'first' }] });
    await expect(api.putExternalcontactsContactNote(id, note.id ?? '', { noteText: 'changed', createdBy: { version: 1 } })).resolves.toMatchObject({ noteText: 'changed' });
    await expect(api.postExternalcontactsBulkNotesAdd({ entities: [{ entityId: id, noteText: 'second', createdBy: { version: 1 } }] })).resolves.toMatchObject({ errorCount: 0 });
    await expect(api.getExternalcontactsScanNotes({ limit: 10 })).resolves.toMatchObject({ entities: [{ noteText: 'changed' }, { noteText: 'second' }] });
    await api.deleteExternalcontactsContactNote(id, note.id ?? '');
    await expect(api.getExternalcontactsContactNote(id, note.id ?? '')).rejects.toMatchObject({ status: 404 });
  });

  it('merges contacts', async () => {
    const [first, second] = [await api.postExternalcontactsContacts({ lastName: 'One' }), await api.postExternalcontactsContacts({ lastName: 'Two', title: 'Dr' })];
    await expect(api.postExternalcontactsMergeContacts({ sourceContactId: second.id ?? '', targetContactId: first.id ?? '' })).resolves.toMatchObject({ id: first.id, lastName: 'One', title: 'Dr' });
    await expect(api.getExternalcontactsContact(second.id ?? '')).resolves.toMatchObject({ mergedTo: { id: first.id } });
  });

  it('sees the provider limit as the vendor answers it', async () => {
    await genesys.control('POST', '/faults', { match: { operation: 'createContact' }, status: 429, retryAfter: 3, times: 1 });
    await expect(api.postExternalcontactsContacts({ lastName: 'Late' })).rejects.toMatchObject({ code: 'too.many.requests', status: 429 });
  });

  it('has no operation on what our definition does not name', async () => {
    await expect(new platformClient.RoutingApi().getRoutingQueues()).rejects.toMatchObject({ status: 404 });
    expect((await genesys.control('GET', '/stats')).json['unknownRoutes']).toBe(1);
  });

  it('signs a person in, refreshes with the new refresh token, and is refused the old one', async () => {
    const redirectUri = 'https://trunkline.example/oauth/callback/genesys';
    const sent = await fetch(`${genesys.url}/oauth/authorize?response_type=code&client_id=client&redirect_uri=${encodeURIComponent(redirectUri)}&state=here`, { redirect: 'manual' });
    const code = new URL(sent.headers.get('location') ?? '').searchParams.get('code') ?? '';
    const refreshTokenOf = (data: object): string => String((data as { readonly refreshToken?: string }).refreshToken);
    const first = refreshTokenOf(await client.loginCodeAuthorizationGrant('client', 'secret', code, redirectUri));
    await expect(new platformClient.TokensApi().getTokensMe()).resolves.toMatchObject({ organization: { id: '5a1c6d40-0000-4000-8000-000000000001' } });
    const again = await client.refreshCodeAuthorizationGrant('client', 'secret', first);
    expect(refreshTokenOf(again)).not.toBe(first);
    await expect(client.refreshCodeAuthorizationGrant('client', 'secret', first)).rejects.toMatchObject({ message: 'Request failed with status code 400' });
    await client.loginClientCredentialsGrant('client', 'secret');
  });
});
