import { runIdOf } from '@trunkline/contracts';
import { type TestGateway, recordsOf, startTestGateway } from '../testing/test-gateway.js';

jest.setTimeout(120_000);

describe('POST /api/events', () => {
  let gateway: TestGateway;
  const event = { specversion: '1.0', id: 'SR-1', source: '/demo/myla311', type: 'conversation_ended', subject: '12 Harbour Street', time: '2026-11-21T10:00:00+11:00', data: { conversation_id: 'SR-1', channel: 'Call', ended_at: null, contact: { id: 'resident-1' } } };
  const batch = { 'content-type': 'application/cloudevents-batch+json' };

  beforeAll(async () => {
    gateway = await startTestGateway();
  }, 120_000);
  afterAll(() => gateway.close());
  afterEach(() => expect(gateway.bugs).toEqual([]));

  it('answers 202 with a receipt once the event is in the log, its data byte for byte', async () => {
    const data = '{ "conversation_id":"SR-2",  "amount": 1e999, "long": 123456789012345678901234567890, "emoji":"\\ud83d\\ude00" }';
    const answer = await gateway.send('POST', '/api/events', `{"specversion":"1.0","data":${data},"id":"SR-2","source":"/bytes","type":"conversation_ended"}`, { 'content-type': 'application/cloudevents+json' });
    expect(answer.status).toBe(202);
    expect(answer.body).toEqual({ receipts: [{ run_id: runIdOf(gateway.organisationId, '/bytes', 'SR-2'), source: '/bytes', id: 'SR-2' }], refused: [] });
    const [record] = await recordsOf(gateway.eventLog, 'events.conversation_ended', 1);
    expect(record?.value).toBe(data);
    expect(record?.headers).toMatchObject({ ce_id: 'SR-2', ce_source: '/bytes', ce_type: 'conversation_ended', ce_organisationid: gateway.organisationId });
  });

  it('gives a repeat the same answer byte for byte', async () => {
    const first = await gateway.send('POST', '/api/events', event);
    const second = await gateway.send('POST', '/api/events', event);
    expect(first.status).toBe(202);
    expect(second.text).toBe(first.text);
  });

  it('takes binary mode: attributes as percent-encoded headers, the body as data', async () => {
    const answer = await gateway.send('POST', '/api/events', '{"knowledge_base_id":"kb-7"}', { 'ce-specversion': '1.0', 'ce-id': 'b-1', 'ce-source': '/binary', 'ce-type': 'kb_sync', 'ce-subject': 'Caf%C3%A9' });
    expect(answer.status).toBe(202);
    const [record] = await recordsOf(gateway.eventLog, 'events.kb_sync', 1);
    expect(record).toMatchObject({ value: '{"knowledge_base_id":"kb-7"}', headers: { ce_subject: 'Café' } });
  });

  it('accepts what is valid of a batch and says for each of the others why not', async () => {
    const tooLarge = { ...event, id: 'big', data: { conversation_id: 'x', summary: 'x'.repeat(90_000), more: 'y'.repeat(256 * 1024) } };
    const answer = await gateway.send('POST', '/api/events', [event, { ...event, id: undefined }, { ...event, type: 'never_heard_of' }, tooLarge, { ...event, id: 'SR-9' }], batch);
    expect(answer.status).toBe(202);
    expect(answer.body['receipts']).toMatchObject([{ id: 'SR-1' }, { id: 'SR-9' }]);
    expect(answer.body['refused']).toMatchObject([
      { index: 1, problem: { code: 'event.invalid', detail: 'id is missing' } },
      { index: 2, problem: { code: 'event.type_unknown' } },
      { index: 3, problem: { code: 'event.too_large', status: 413 } },
    ]);
  });

  it('answers 400 when no event of a batch is valid', async () => {
    const answer = await gateway.send('POST', '/api/events', [{ ...event, source: '' }, 'text'], batch);
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ code: 'event.all_refused', refused: [{ index: 0 }, { index: 1 }] });
  });

  it('checks the data of a built-in type against its schema and names the place', async () => {
    const answer = await gateway.send('POST', '/api/events', { ...event, type: 'low_score', data: { conversation_id: '1', score: 'low', threshold: 3 } });
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ code: 'event.invalid', detail: 'data/score must be number' });
  });

  it('takes a custom type as soon as the organisation has attached a chain to it, of nobody else', async () => {
    const custom = { ...event, type: 'pothole_reported', data: 'anything' };
    expect((await gateway.send('POST', '/api/events', custom)).body).toMatchObject({ code: 'event.type_unknown' });
    const other = await gateway.newKey(['publish']);
    await attachChain(gateway, 'pothole_reported');
    const deadline = performance.now() + 20_000;
    let status = 0;
    while (status !== 202 && performance.now() < deadline) status = (await gateway.send('POST', '/api/events', custom, { authorization: `Bearer ${other}` })).status;
    expect(status).toBe(202);
    expect((await recordsOf(gateway.eventLog, 'events.custom', 1))[0]).toMatchObject({ value: '"anything"', headers: { ce_type: 'pothole_reported' } });
  });

  it('needs a key with the scope publish, in either header', async () => {
    const reader = await gateway.newKey(['read']);
    const publisher = await gateway.newKey(['publish']);
    expect(await statusWith({ authorization: '' })).toBe(401);
    expect(await statusWith({ authorization: 'Bearer tl_0123456789abcdef_nope' })).toBe(401);
    expect(await statusWith({ authorization: `Bearer ${reader}` })).toBe(403);
    expect(await statusWith({ authorization: `Bearer ${publisher}` })).toBe(202);
    const answer = await fetch(`${gateway.url}/api/events`, { method: 'POST', body: JSON.stringify(event), headers: { 'content-type': 'application/json', 'x-api-key': publisher } });
    expect(answer.status).toBe(202);
  });

  async function statusWith(headers: Record<string, string>): Promise<number> {
    return (await gateway.send('POST', '/api/events', event, headers)).status;
  }
});

async function attachChain(gateway: TestGateway, eventType: string): Promise<void> {
  const client = await gateway.database.databases.tenant.connect();
  try {
    await client.query('begin');
    await client.query("select set_config('app.org_id', $1, true)", [gateway.organisationId]);
    await client.query("insert into chain_versions (organisation_id, event_type, version, steps, valid_from) values ($1, $2, 1, '[]', clock_timestamp() + interval '1 second')", [gateway.organisationId, eventType]);
    await client.query('commit');
  } finally {
    client.release();
  }
}
