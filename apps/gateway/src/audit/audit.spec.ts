import { Verification } from '@trunkline/audit';
import type { TestGateway } from '../testing/test-gateway.js';
import { startTestGateway } from '../testing/test-gateway.js';

describe('the audit trail over HTTP', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway();
  }, 120_000);
  afterAll(() => gateway?.close());

  const newest = async (query = ''): Promise<readonly Record<string, unknown>[]> => (await gateway.send('GET', `/api/audit${query}`)).body['entries'] as readonly Record<string, unknown>[];

  it('keeps who changed what, before and after, and no credential', async () => {
    const secret = 'canary-of-the-audit-trail';
    const made = await gateway.send('POST', `/api/integrations/org/${gateway.organisationId}`, { provider: 'salesforce', name: 'Salesforce', settings: { instance_url: 'https://crm.example.org' }, credentials: { client_id: 'id', client_secret: secret } });
    const id = String(made.body['id']);
    await gateway.send('PUT', `/api/integrations/${id}`, { name: 'Salesforce, production' }, { 'if-match': made.headers.get('etag') ?? '' });
    await gateway.send('DELETE', `/api/integrations/${id}`);
    const entries = await newest('?limit=3');
    expect(entries).toMatchObject([
      { action: 'integrations:write', subject: `DELETE /api/integrations/:id ${id}`, outcome: 'done', before: { name: 'Salesforce, production' }, after: null },
      { action: 'integrations:write', subject: `PUT /api/integrations/:id ${id}`, outcome: 'done', before: { name: 'Salesforce' }, after: { name: 'Salesforce, production' } },
      { action: 'integrations:write', subject: 'POST /api/integrations/org/:org_id', actor: expect.stringMatching(/^key:[0-9a-f]{16}$/), address: expect.stringContaining('127.0.0.1'), at: expect.any(String), outcome: 'done', before: null, after: { id, name: 'Salesforce' } },
    ]);
    expect(JSON.stringify(entries)).not.toContain(secret);
  });

  it('keeps what was tried and refused too, and never a key that was shown once', async () => {
    await gateway.send('POST', '/api/runs/0a4b0c0d-0000-4000-8000-00000000dead/cancel', {});
    const key = await gateway.send('POST', '/api/keys', { name: 'one', scopes: ['publish'] });
    const [made, refused] = await newest('?limit=2');
    expect(refused).toMatchObject({ action: 'runs:cancel', outcome: 'request.not_found' });
    expect(made).toMatchObject({ action: 'keys:manage', after: { id: key.body['id'], scopes: ['publish'] } });
    expect(JSON.stringify(made)).not.toContain(String(key.body['api_key']));
  });

  it('does not fill up with looks: reading leaves no entry', async () => {
    const [before] = await newest('?limit=1');
    for (const path of ['/api/runs', '/api/keys', '/api/audit', `/api/integrations/org/${gateway.organisationId}`]) await gateway.send('GET', path);
    expect((await newest('?limit=1'))[0]?.['seq']).toBe(before?.['seq']);
  });

  it('can be checked from its beginning, page by page', async () => {
    const verification = new Verification(gateway.organisationId);
    let after = 0;
    for (;;) {
      const { body } = await gateway.send('GET', `/api/audit?limit=2&after=${after}`);
      for (const entry of body['entries'] as readonly { readonly seq: number; readonly content: string; readonly hash: string }[]) expect(verification.next(entry)).toBeNull();
      if (body['next'] === null) break;
      after = Number(body['next']);
    }
    expect(verification.end()).toMatchObject({ kind: 'whole', entries: expect.any(Number) });
  });
});
