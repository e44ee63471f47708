import { randomUUID } from 'node:crypto';
import { inOrganisations } from '@trunkline/storage';
import { type TestGateway, startTestGateway } from '../testing/test-gateway.js';

jest.setTimeout(120_000);

describe('what an organisation and an address may use', () => {
  let gateway: TestGateway;

  beforeAll(async () => {
    gateway = await startTestGateway({ strangerRequestsPerMinute: 20 });
  }, 120_000);
  afterAll(() => gateway.close());
  afterEach(() => expect(gateway.bugs).toEqual([]));

  async function organisation(plan: 'free' | 'starter' | 'professional', overrides: Record<string, number | null> = {}): Promise<{ readonly id: string; readonly headers: Record<string, string> }> {
    const { id } = await gateway.identity.createOrganisation({ name: plan });
    await gateway.identity.givePlan({ organisationId: id, plan, overrides });
    return { id, headers: { authorization: `Bearer ${await gateway.newKey(['admin'], id)}` } };
  }
  const integration = { provider: 'salesforce', name: 'CRM', settings: { instance_url: 'https://crm.example.org' } };
  const event = (id: string) => ({ specversion: '1.0', id, source: '/s', type: 'kb_sync', data: { knowledge_base_id: 'kb' } });

  it('is as many integrations as the plan includes, also when they come at once: 402 names plan and limit', async () => {
    const { id, headers } = await organisation('professional');
    const answers = await Promise.all(Array.from({ length: 6 }, () => gateway.send('POST', `/api/integrations/org/${id}`, integration, headers)));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, 201, 402, 402, 402]);
    expect(answers.find(({ status }) => status === 402)?.body).toMatchObject({ code: 'plan.limit_reached', plan: 'professional', limit: { name: 'integrations', value: 3 }, detail: expect.stringContaining('professional') });
    expect((await gateway.send('GET', '/api/organisation', undefined, headers)).body).toMatchObject({ plan: 'professional', limits: { integrations: 3, events_per_minute: 6_000, retention_days: 30 }, used: { integrations: 3 } });
  });

  it('is no integration in the free plan, and a repeat under the same key is no second one', async () => {
    const free = await organisation('free');
    expect((await gateway.send('POST', `/api/integrations/org/${free.id}`, integration, free.headers)).status).toBe(402);
    const starter = await organisation('starter');
    const once = { ...starter.headers, 'idempotency-key': randomUUID() };
    expect((await gateway.send('POST', `/api/integrations/org/${starter.id}`, integration, once)).status).toBe(201);
    expect((await gateway.send('POST', `/api/integrations/org/${starter.id}`, integration, once)).status).toBe(201);
    expect((await gateway.send('POST', `/api/integrations/org/${starter.id}`, integration, starter.headers)).status).toBe(402);
  });

  it('is as many events a minute as the plan includes, batches taken whole or not at all', async () => {
    const { headers } = await organisation('starter', { eventsPerMinute: 10 });
    const batch = (count: number) => gateway.send('POST', '/api/events', JSON.stringify(Array.from({ length: count }, () => event(randomUUID()))), { ...headers, 'content-type': 'application/cloudevents-batch+json' });
    expect((await batch(8)).status).toBe(202);
    const refused = await batch(3);
    expect(refused.body).toMatchObject({ status: 402, code: 'plan.limit_reached', plan: 'starter', limit: { name: 'events_per_minute', value: 10 } });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    const never = await batch(11);
    expect(never.body).toMatchObject({ status: 402, code: 'plan.limit_reached', limit: { name: 'events_per_minute', value: 10 }, detail: expect.stringContaining('the batch holds 11 events') });
    expect(never.headers.get('retry-after')).toBeNull();
    expect((await batch(2)).status).toBe(202);
  });

  it('is so many requests per key and organisation, told in RateLimit; then 429 and when to come back', async () => {
    const { headers } = await organisation('free', { keyRequestsPerMinute: 5, requestsPerMinute: 100 });
    const first = await gateway.send('GET', '/api/runs', undefined, headers);
    expect(first.headers.get('ratelimit-policy')).toBe('"key";q=5;w=60, "organisation";q=100;w=60');
    expect(first.headers.get('ratelimit')).toMatch(/^"key";r=4;t=\d+, "organisation";r=99;t=\d+$/);
    for (let request = 0; request < 4; request += 1) expect((await gateway.send('GET', '/api/runs', undefined, headers)).status).toBe(200);
    const refused = await gateway.send('GET', '/api/runs', undefined, headers);
    expect(refused.body).toMatchObject({ status: 429, code: 'request.rate_limited' });
    expect(refused.headers.get('retry-after')).toBe(/"key";r=0;t=(\d+)/.exec(refused.headers.get('ratelimit') ?? '')?.[1]);
  });

  it('is told of a person who is signed in as theirs, in whatever session', async () => {
    const { id } = await organisation('free', { keyRequestsPerMinute: 4, requestsPerMinute: null });
    const account = await gateway.people.accounts.create({ email: `${randomUUID()}@example.org`, name: 'Viewer', password: null });
    const userId = account?.id ?? '';
    await inOrganisations(gateway.database.databases, [id], (client) => client.query(`insert into memberships (organisation_id, user_id, role, email, name) values ($1, $2, 'viewer', 'x@example.org', 'Viewer')`, [id, userId]));
    await gateway.people.accounts.belongsTo(userId, id);
    const look = async () => gateway.send('GET', '/api/runs', undefined, { authorization: undefined, cookie: `trunkline_session=${await gateway.people.sessions.open(userId, 'password', { address: '127.0.0.1', browser: 'spec' })}` });
    const first = await look();
    expect([first.status, first.headers.get('ratelimit-policy'), first.headers.get('ratelimit')]).toEqual([200, '"user";q=4;w=60', expect.stringMatching(/^"user";r=3;t=\d+$/)]);
    for (let request = 0; request < 3; request += 1) expect((await look()).status).toBe(200);
    expect((await look()).body).toMatchObject({ status: 429, detail: 'the limit of 4 requests per minute of this user is used up' });
  });

  it('is not counted where the plan sets no limit', async () => {
    const answer = await gateway.send('GET', '/api/runs');
    expect([answer.status, answer.headers.get('ratelimit')]).toEqual([200, null]);
  });

  it('is so many requests of strangers per address; who guesses keys is stopped, who has one is not', async () => {
    const statuses: number[] = [];
    for (let request = 0; request < 30; request += 1) statuses.push((await gateway.send('GET', '/api/runs', undefined, { authorization: `Bearer tl_${'0'.repeat(16)}_${'A'.repeat(43)}` })).status);
    expect(statuses.filter((status) => status === 401)).toHaveLength(20);
    expect(statuses.slice(20)).toEqual(Array(10).fill(429));
    expect((await gateway.send('POST', '/api/session', { email: 'a@example.org', password: 'x' }, { authorization: undefined })).status).toBe(429);
    expect((await gateway.send('GET', '/api/runs')).status).toBe(200);
  });

  it('believes X-Forwarded-For of nobody but its own proxies', async () => {
    const address = { authorization: undefined, 'x-forwarded-for': '203.0.113.77' };
    expect((await gateway.send('GET', '/api/runs', undefined, address)).status).toBe(429);
    const behind = await startTestGateway({ strangerRequestsPerMinute: 1, trustedProxies: ['127.0.0.1'] });
    try {
      expect((await behind.send('GET', '/api/runs', undefined, address)).status).toBe(401);
      expect((await behind.send('GET', '/api/runs', undefined, address)).status).toBe(429);
      expect((await behind.send('GET', '/api/runs', undefined, { ...address, 'x-forwarded-for': '203.0.113.78' })).status).toBe(401);
    } finally {
      await behind.close();
    }
  }, 180_000);
});
