import { randomUUID } from 'node:crypto';
import { type TestGateway, startTestGateway } from '../testing/test-gateway.js';

describe('the control plane', () => {
  let gateway: TestGateway;
  let crm = '';
  let desk = '';

  beforeAll(async () => {
    gateway = await startTestGateway();
    crm = await created({ provider: 'salesforce', name: 'CRM', settings: { instance_url: 'https://crm.example.org' }, credentials: { client_id: 'id-1', client_secret: 'canary-secret' } });
    desk = await created({ provider: 'techone', name: 'ERP', settings: { base_url: 'https://erp.example.org', limit_per_minute: 30 }, credentials: { client_id: 'id-2', client_secret: 'canary-secret' } });
  }, 120_000);
  afterAll(() => gateway.close());
  afterEach(() => expect(gateway.bugs).toEqual([]));

  describe('integrations', () => {
    it('are listed without their credentials', async () => {
      const answer = await gateway.send('GET', `/api/integrations/org/${gateway.organisationId}`);
      expect(answer.status).toBe(200);
      expect(answer.body['integrations']).toMatchObject([{ id: crm, credentials: { client_id: '********', client_secret: '********' } }, { id: desk, settings: { limit_per_minute: 30 } }]);
      expect(answer.text).not.toContain('canary');
    });

    it('are stored sealed', async () => {
      const { rows } = await asTenant(gateway, 'select credentials from integrations where id = $1', [crm]);
      expect(String(rows[0]?.['credentials'])).not.toContain('canary');
    });

    it('are made once per Idempotency-Key', async () => {
      const body = { provider: 'salesforce', name: 'Once', settings: { instance_url: 'https://crm.example.org' } };
      const key = { 'idempotency-key': randomUUID() };
      const first = await gateway.send('POST', `/api/integrations/org/${gateway.organisationId}`, body, key);
      const second = await gateway.send('POST', `/api/integrations/org/${gateway.organisationId}`, body, key);
      expect([first.status, second.status]).toEqual([201, 201]);
      expect(second.body['id']).toBe(first.body['id']);
      const other = await gateway.send('POST', `/api/integrations/org/${gateway.organisationId}`, { ...body, name: 'Other' }, key);
      expect(other.body).toMatchObject({ status: 422, code: 'request.idempotency_key_reused' });
      expect((await gateway.send('DELETE', `/api/integrations/${String(first.body['id'])}`)).status).toBe(204);
    });

    it('change only under the ETag that was read; a masked credential stays', async () => {
      const read = await gateway.send('GET', `/api/integrations/${desk}`);
      const change = { name: 'ERP (new)', credentials: { client_id: 'id-3', client_secret: '********' } };
      expect((await gateway.send('PUT', `/api/integrations/${desk}`, change)).status).toBe(428);
      expect((await gateway.send('PUT', `/api/integrations/${desk}`, change, { 'if-match': '"99"' })).status).toBe(412);
      const saved = await gateway.send('PUT', `/api/integrations/${desk}`, change, { 'if-match': read.headers.get('etag') ?? '' });
      expect(saved.status).toBe(200);
      expect(saved.body).toMatchObject({ name: 'ERP (new)', version: 2 });
    });

    it('refuse fields the server owns and fields the provider does not have', async () => {
      const answer = await gateway.send('POST', `/api/integrations/org/${gateway.organisationId}`, { provider: 'salesforce', name: 'x', organisation_id: randomUUID(), paused: true });
      expect(answer.body).toMatchObject({ status: 400, code: 'request.invalid', detail: expect.stringContaining('organisation_id may not be sent') });
      const unknown = await gateway.send('POST', `/api/integrations/org/${gateway.organisationId}`, { provider: 'salesforce', name: 'x', settings: { instance_url: 'nowhere', colour: 'red' } });
      expect(unknown.body).toMatchObject({ status: 422, code: 'integration.invalid' });
      expect(unknown.body['detail']).toContain('settings.colour');
    });

    it.each([
      ['salesforce', 'instance_url', 'https://user:hunter2@crm.example.org'],
      ['salesforce', 'instance_url', 'https://hunter2@crm.example.org/'],
      ['salesforce', 'instance_url', 'https://crm.example.org/?token=hunter2'],
      ['salesforce', 'instance_url', 'https://crm.example.org/#hunter2'],
      ['genesys', 'region', 'hunter2@evil.example'],
      ['genesys', 'region', 'evil.example/hunter2?'],
      ['genesys', 'region', 'evil.example:8443#hunter2'],
    ])('refuse an address of %s that holds more than a place, without repeating it: %s', async (provider, field, value) => {
      const refused = await gateway.send('POST', `/api/integrations/org/${gateway.organisationId}`, { provider, name: 'x', settings: { [field]: value } });
      expect(refused.body).toMatchObject({ status: 422, code: 'integration.invalid', detail: expect.stringContaining(`${field}: must`) as unknown });
      expect(JSON.stringify([refused.body, gateway.effects.at(-1)])).not.toContain('hunter2');
    });

    it('are paused and resumed', async () => {
      expect((await gateway.send('POST', `/api/integrations/${crm}/pause`)).body).toMatchObject({ paused: true });
      expect((await gateway.send('POST', `/api/integrations/${crm}/resume`)).body).toMatchObject({ paused: false });
    });

    it('are tested by really calling the provider', async () => {
      const id = await created({ provider: 'salesforce', name: 'Nowhere', settings: { instance_url: 'http://127.0.0.1:9' }, credentials: { client_id: 'a', client_secret: 'b' } });
      const answer = await gateway.send('POST', `/api/integrations/${id}/test`);
      expect(answer.body).toMatchObject({ ok: false, checks: [{ ok: false, problem: expect.any(String) }] });
    });
  });

  describe('chains', () => {
    const step = (name: string, rest: object) => ({ name, priority: 10, action: 'push_summary', integration: crm, ...rest });
    const chain = () => ({
      steps: [
        step('erp', { integration: desk, action: 'create_job', priority: 20, input: { description: { path: 'event.data.summary' } }, ordering: 'subject' }),
        step('crm', { priority: 30, input: { job_number: { path: 'steps.erp.job_number' } } }),
      ],
    });

    it('get a version, an ETag and the time they are in force from', async () => {
      expect((await gateway.send('GET', '/api/chains/conversation_ended')).body).toMatchObject({ status: 404, code: 'chain.missing' });
      const saved = await gateway.send('PUT', '/api/chains/conversation_ended', chain(), { 'if-none-match': '*' });
      expect(saved.status).toBe(200);
      expect(saved.headers.get('etag')).toBe('"1"');
      expect(Date.parse(String(saved.body['valid_from']))).toBeGreaterThan(Date.now());
      const read = await gateway.send('GET', '/api/chains/conversation_ended');
      expect(read.body).toEqual(saved.body);
      const { rows } = await asTenant(gateway, "select steps from chain_versions where event_type = 'conversation_ended'", []);
      expect(rows[0]?.['steps']).toMatchObject([{ id: 'erp', provider: 'techone' }, { id: 'crm', provider: 'salesforce', reads: ['erp'] }]);
    });

    it('keep the id of a step that is renamed, and take back what a GET gave', async () => {
      const read = await gateway.send('GET', '/api/chains/conversation_ended');
      const steps = (read.body['steps'] as { id: string; name: string; input: object }[]).map((one) => (one.id === 'crm' ? { ...one, name: 'summary' } : one));
      expect((await gateway.send('PUT', '/api/chains/conversation_ended', { steps })).status).toBe(428);
      const saved = await gateway.send('PUT', '/api/chains/conversation_ended', { steps }, { 'if-match': read.headers.get('etag') ?? '' });
      expect(saved.body).toMatchObject({ version: 2, steps: [{ id: 'erp', name: 'erp' }, { id: 'crm', name: 'summary' }] });
      expect((await gateway.send('PUT', '/api/chains/conversation_ended', { steps }, { 'if-match': '"1"' })).status).toBe(412);
    });

    it('cannot be left without an integration they use', async () => {
      expect((await gateway.send('DELETE', `/api/integrations/${crm}`)).body).toMatchObject({ status: 409, code: 'integration.in_use', detail: 'conversation_ended' });
    });

    it('are checked without saving', async () => {
      const answer = await gateway.send('POST', '/api/chains/escalation/check', { steps: [step('one', { action: 'no_such_thing', integration: randomUUID() })] });
      expect(answer.body).toMatchObject({ valid: false, problems: [{ code: 'chain.unknown_integration', step: 'one' }] });
      expect((await gateway.send('GET', '/api/chains/escalation')).status).toBe(404);
    });
  });

  it('shows nothing of another organisation', async () => {
    const other = randomUUID();
    await gateway.identity.createOrganisation({ id: other, name: 'Elsewhere' });
    const key = { authorization: `Bearer ${await gateway.newKey(['admin'], other)}` };
    for (const [method, path] of [['GET', `/api/integrations/${crm}`], ['DELETE', `/api/integrations/${crm}`], ['POST', `/api/integrations/${crm}/test`], ['POST', `/api/integrations/${crm}/pause`], ['GET', `/api/integrations/org/${gateway.organisationId}`], ['GET', '/api/chains/conversation_ended'], ['GET', `/api/runs/${randomUUID()}`], ['GET', `/api/dead-letters/${randomUUID()}`]] as const) {
      expect([path, (await gateway.send(method, path, undefined, key)).status]).toEqual([path, 404]);
    }
  });

  it('asks each operation for its scope', async () => {
    const reader = { authorization: `Bearer ${await gateway.newKey(['read'])}` };
    expect((await gateway.send('GET', '/api/runs', undefined, reader)).status).toBe(200);
    for (const [method, path] of [['PUT', '/api/chains/escalation'], ['POST', `/api/runs/${randomUUID()}/replay`], ['POST', `/api/runs/${randomUUID()}/cancel`], ['POST', '/api/dead-letters/redrive'], ['POST', '/api/integrations/process-queue'], ['DELETE', `/api/integrations/${crm}`], ['GET', '/api/topics']] as const) {
      expect([path, (await gateway.send(method, path, method === 'GET' ? undefined : {}, reader)).status]).toEqual([path, 403]);
    }
  });

  it('lists runs, dead letters, topics and event types', async () => {
    expect((await gateway.send('GET', '/api/runs?state=done&limit=5')).body).toEqual({ runs: [], next: null });
    expect((await gateway.send('GET', '/api/runs?state=finished')).body).toMatchObject({ status: 400, code: 'request.invalid' });
    expect((await gateway.send('GET', '/api/dead-letters')).body).toEqual({ dead_letters: [], next: null });
    expect((await gateway.send('POST', '/api/dead-letters/redrive', { dry_run: true, class: 'data' })).body).toMatchObject({ dry_run: true, matched: 0, redriven: 0 });
    expect((await gateway.send('POST', '/api/integrations/process-queue')).body).toMatchObject({ counts: { deferred: 0, parked: 0 } });
    expect((await gateway.send('GET', '/api/topics?group=ledger')).body).toMatchObject({ driver: 'postgres', groups: [{ group: 'ledger' }] });
    const types = await gateway.send('GET', '/api/event-types');
    expect(types.body['event_types']).toContainEqual(expect.objectContaining({ type: 'low_score', built_in: true, schema: expect.objectContaining({ required: ['conversation_id', 'score', 'threshold'] }) }));
  });

  it('describes itself: OpenAPI 3.1 and a page that needs no other host', async () => {
    const document = await gateway.send('GET', '/api/openapi.json', undefined, { authorization: '' });
    expect(document.body).toMatchObject({ openapi: '3.1.0' });
    expect(Object.keys(document.body['paths'] as object)).toEqual(expect.arrayContaining(['/api/events', '/api/runs/{id}', '/api/chains/{eventType}', '/api/integrations/{id}/test']));
    const page = await gateway.send('GET', '/api/docs', undefined, { authorization: '' });
    expect(page.status).toBe(200);
    expect(page.text).not.toMatch(/https?:\/\//);
    for (const asset of page.text.matchAll(/(?:src|href)="([^"]+)"/g)) expect((await gateway.send('GET', asset[1] ?? '', undefined, { authorization: '' })).status).toBe(200);
  });

  async function created(body: object): Promise<string> {
    const answer = await gateway.send('POST', `/api/integrations/org/${gateway.organisationId}`, body);
    expect([answer.status, answer.text]).toEqual([201, expect.any(String)]);
    return String(answer.body['id']);
  }
});

async function asTenant(gateway: TestGateway, sql: string, values: readonly unknown[]): Promise<{ rows: Record<string, unknown>[] }> {
  const client = await gateway.database.databases.tenant.connect();
  try {
    await client.query('begin');
    await client.query("select set_config('app.org_id', $1, true)", [gateway.organisationId]);
    const { rows } = await client.query<Record<string, unknown>>(sql, [...values]);
    await client.query('commit');
    return { rows };
  } finally {
    client.release();
  }
}
