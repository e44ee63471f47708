import { randomUUID } from 'node:crypto';
import { startGateway, type RunningGateway } from '@trunkline/app-gateway';
import { startSyncLedger, type RunningSyncLedger } from '@trunkline/app-sync-ledger';
import { eventTopics, topics } from '@trunkline/contracts';
import { createEventLog, createPostgresDriver, type EventLog } from '@trunkline/event-log';
import { openTestDatabase, type TestDatabase } from '@trunkline/storage/testing';
import { type Answer, expectClearRefusal, keptLog, organisationWithKey, send, until, masterKeys } from './support.js';

const event = { specversion: '1.0', id: 'SR-1', source: '/bad-input', type: 'conversation_ended', data: { conversation_id: 'SR-1' } };
jest.setTimeout(120_000);

const batch = { 'content-type': 'application/cloudevents-batch+json' };

describe('bad input', () => {
  let database: TestDatabase;
  let eventLog: EventLog;
  let ledger: RunningSyncLedger;
  let gateway: RunningGateway;
  let key: { readonly authorization: string };
  let organisationId: string;
  const log = keptLog();

  beforeAll(async () => {
    database = await openTestDatabase();
    eventLog = createEventLog(createPostgresDriver({ pool: database.databases.log }));
    await eventLog.ensureTopics(topics);
    const organisation = await organisationWithKey(database.databases);
    organisationId = organisation.organisationId;
    key = { authorization: `Bearer ${organisation.apiKey}` };
    const parts = { databases: database.databases, eventLog, logger: log };
    const config = { databaseUrl: database.url, kafkaBrokers: [], opsHost: '127.0.0.1', opsPort: 0, outboundAllow: [], outboundPorts: [] };
    ledger = await startSyncLedger({ ...config, keepRunsDays: 30, keepCallsDays: 14 }, parts);
    gateway = await startGateway({ ...config, host: '127.0.0.1', port: 0, answerWithinMs: 20_000 }, { ...parts, masterKeys });
    // A gateway that has not met a key asks for it within a second or says 503; afterwards it remembers.
    await until('the key is known', async () => ((await ask('GET', '/api/runs')).status === 200 ? true : null), 60_000);
  }, 120_000);

  afterAll(async () => {
    await gateway?.close();
    await ledger?.stop(5_000);
    await eventLog?.close();
    await database?.close();
  }, 60_000);

  afterEach(() => expect(log.lines).toEqual([]));

  const publish = (body: Parameters<typeof send>[2], headers: Record<string, string> = {}): Promise<Answer> => send(`${gateway.url}/api/events`, 'POST', body, { ...key, ...headers });
  const ask = (method: string, path: string, body?: object | string): Promise<Answer> => send(gateway.url + path, method, body, key);
  const recordsInLog = async (): Promise<number> => (await eventLog.topics()).filter((figure) => (eventTopics as readonly string[]).includes(figure.topic)).reduce((sum, figure) => sum + Number(figure.records), 0);

  /** Refused means refused: nothing of it has reached the log, and the neighbour in the same batch has. */
  async function expectRefused(body: Parameters<typeof send>[2], headers: Record<string, string>, status: number, code: string): Promise<Answer> {
    const before = await recordsInLog();
    const answer = await publish(body, headers);
    expectClearRefusal(answer, status, code);
    expect(await recordsInLog()).toBe(before);
    return answer;
  }

  it.each([
    ['cut off', '{"specversion":"1.0","id":"1"'],
    ['trailing comma', '{"specversion":"1.0",}'],
    ['two values', '{} {}'],
    ['a byte order mark', '\ufeff{}'],
    ['empty', ' '],
  ])('broken JSON: %s', async (_what, body) => {
    await expectRefused(body, {}, 400, 'request.body_not_json');
  });

  it('broken JSON: bytes that are not UTF-8', async () => {
    await expectRefused(Buffer.concat([Buffer.from('{"specversion":"1.0","id":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]), {}, 400, 'request.body_not_json');
  });

  it('broken JSON in a batch is refused alone', async () => {
    const answer = await publish(`[${JSON.stringify({ ...event, id: 'neighbour-1' })}, {"id": nonsense}]`, batch);
    expect(answer.body).toMatchObject({ receipts: [{ id: 'neighbour-1' }], refused: [{ index: 1, problem: { code: 'request.body_not_json' } }] });
  });

  it('a body that calls itself compressed', async () => {
    await expectRefused(JSON.stringify(event), { 'content-type': 'application/json', 'content-encoding': 'gzip' }, 415, 'request.content_type');
  });

  it.each(['text/plain', 'application/xml', 'application/json\ta', 'application/json, text/plain', 'application/json; charset=latin1', 'application/jsonx', 'multipart/form-data; boundary=x'])('wrong content type: %s', async (type) => {
    await expectRefused(JSON.stringify(event), { 'content-type': type }, 415, 'request.content_type');
  });

  it('unknown event type', async () => {
    const answer = await expectRefused({ ...event, type: 'never_heard_of' }, {}, 400, 'event.type_unknown');
    expect(answer.body['fix']).toContain('/api/event-types');
  });

  it('missing id', async () => {
    const { id: _id, ...without } = event;
    expect((await expectRefused(without, {}, 400, 'event.invalid')).body['detail']).toBe('id is missing');
    await expectRefused({ ...event, id: '' }, {}, 400, 'event.invalid');
    await expectRefused({ ...event, id: 7 }, {}, 400, 'event.invalid');
    await expectRefused('{"conversation_id":"1"}', { 'ce-specversion': '1.0', 'ce-source': '/s', 'ce-type': 'conversation_ended' }, 400, 'event.invalid');
  });

  it('10 MB body, announced', async () => {
    await expectRefused('x'.repeat(10 * 1024 * 1024), {}, 413, 'request.body_too_large');
  });

  it('10 MB body, in pieces', async () => {
    const before = await recordsInLog();
    const piece = Buffer.alloc(64 * 1024, 'x');
    let left = 160;
    const stream = new ReadableStream({ pull: (controller) => (left-- > 0 ? controller.enqueue(piece) : controller.close()) });
    const answer = await publish(stream).catch((error: unknown) => error);
    // A sender that never reads while it writes may see the connection end instead of the answer.
    if (!(answer instanceof Error)) expectClearRefusal(answer as Answer, 413, 'request.body_too_large');
    expect(await recordsInLog()).toBe(before);
  });

  it('100,000-deep JSON', async () => {
    const deep = `{"specversion":"1.0","id":"deep","source":"/s","type":"conversation_ended","data":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
    expect((await expectRefused(deep, {}, 400, 'event.invalid')).body['detail']).toContain('64 levels');
    const answer = await publish(`[${deep},${JSON.stringify({ ...event, id: 'neighbour-2' })}]`, batch);
    expect(answer.body).toMatchObject({ receipts: [{ id: 'neighbour-2' }], refused: [{ index: 0 }] });
    expectClearRefusal(await ask('PUT', '/api/chains/escalation', `{"steps":${'['.repeat(100_000)}${']'.repeat(100_000)}}`), 400, 'request.body_not_json');
  });

  it('__proto__ keys do nothing', async () => {
    const body = '{"specversion":"1.0","id":"proto","source":"/s","type":"conversation_ended","__proto__":{"id":"other","organisationid":"x"},"data":{"conversation_id":"1","__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}}';
    const answer = await publish(body);
    expect(answer.body).toMatchObject({ receipts: [{ id: 'proto' }] });
    expect((await shownRun(answer))['event']).toMatchObject({ id: 'proto' });
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
    expect((await ask('POST', '/api/dead-letters/redrive', '{"__proto__":{"dry_run":true},"dry_run":true}')).status).toBe(400);
  });

  it('NUL and lone surrogates: refused where names are, kept byte for byte where data is', async () => {
    for (const text of ['\\u0000', '\\ud800', '\\udc00x']) {
      await expectRefused(`{"specversion":"1.0","id":"a${text}","source":"/s","type":"conversation_ended","data":{"conversation_id":"1"}}`, {}, 400, 'event.invalid');
      await expectRefused(`{"specversion":"1.0","id":"1","source":"/s","subject":"a${text}","type":"conversation_ended","data":{"conversation_id":"1"}}`, {}, 400, 'event.invalid');
    }
    const answer = await publish('{"specversion":"1.0","id":"odd","source":"/s","type":"conversation_ended","data":{"conversation_id":"1","summary":"a\\u0000b\\ud800c","huge":1e999}}');
    expect(answer.status).toBe(202);
    expect(await shownRun(answer)).toMatchObject({ state: 'done', event: { data: { summary: 'a\u0000b\ud800c' } } });
  });

  it('a row with missing cells becomes an event whose fields are null, or is refused by name', async () => {
    const data = { conversation_id: 'SR-77', channel: null, started_at: null, ended_at: null, summary: 'Request (no action recorded, no owner)', request_type: null, address: null, area: null, status: null, contact: { id: 'resident-SR-77' } };
    expect((await publish({ ...event, id: 'SR-77', data })).status).toBe(202);
    expect((await expectRefused({ ...event, id: 'SR-78', data: { ...data, conversation_id: null } }, {}, 400, 'event.invalid')).body['detail']).toContain('data/conversation_id');
    expect((await expectRefused({ ...event, id: 'SR-79', data: { ...data, started_at: '12/31/2017' } }, {}, 400, 'event.invalid')).body['detail']).toContain('data/started_at');
  });

  describe('a chain', () => {
    let integration = '';
    const step = (name: string, priority: number, rest: object = {}) => ({ name, priority, integration, action: 'push_summary', input: {}, ...rest });
    const save = (...steps: readonly object[]): Promise<Answer> => ask('PUT', '/api/chains/escalation', { steps });

    beforeAll(async () => {
      const answer = await ask('POST', `/api/integrations/org/${organisationId}`, { provider: 'salesforce', name: 'CRM', settings: { instance_url: 'https://crm.example.org' } });
      integration = String(answer.body['id']);
    });
    afterEach(async () => expect((await ask('GET', '/api/chains/escalation')).status).toBe(404));

    it('whose mapping reads a later step is refused, and both steps are named', async () => {
      const answer = await save(step('summary', 10, { input: { job: { path: 'steps.job.number' } } }), step('job', 20));
      expectClearRefusal(answer, 422, 'chain.invalid');
      expect(answer.body['detail']).toMatch(/summary.*job/);
      expect(answer.body['problems']).toMatchObject([{ code: 'chain.later_step', step: 'summary', field: 'input.job' }]);
    });

    it('with an expression that would run for ever is refused', async () => {
      for (const condition of ['"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!".matches("(a+)+$")', 'event.data.a.all(x, event.data.a.all(y, event.data.a.all(z, true)))']) {
        const times: number[] = [];
        for (let turn = 0; turn < 3; turn += 1) {
          const startedAt = performance.now();
          const answer = await save(step('one', 10, { condition }));
          expectClearRefusal(answer, 422, 'chain.invalid');
          expect(answer.body['problems']).toMatchObject([{ code: 'expression.unbounded', field: 'condition' }]);
          times.push(performance.now() - startedAt);
        }
        // The quickest of three: a machine that stands still for a moment does so for one of them.
        expect(Math.min(...times)).toBeLessThan(1_000);
      }
    });

    it('with an unknown action is refused', async () => {
      const answer = await save(step('one', 10, { action: 'launch_rocket' }));
      expectClearRefusal(answer, 422, 'chain.invalid');
      expect(answer.body['detail']).toContain('salesforce has no action launch_rocket');
    });

    it('with an integration of nobody, or fields the server owns, is refused', async () => {
      expectClearRefusal(await save(step('one', 10, { integration: randomUUID() })), 422, 'chain.invalid');
      expectClearRefusal(await save(step('one', 10, { provider: 'genesys', reads: [] })), 400, 'request.invalid');
    });
  });

  it('paths written otherwise do not pass the guard', async () => {
    for (const path of ['/api/%65vents', '/api//events', '/api/events/', '/api/events;x=1', '/API/EVENTS', '/api/runs/', '/api/./runs', '//api/runs']) {
      const answer = await send(gateway.url + path, 'POST', event, {});
      expect([401, 404]).toContain(answer.status);
      expect(answer.text).not.toMatch(/node_modules|\bat \S+ \(/);
    }
  });

  it('has lost nothing and doubled nothing of what was accepted', async () => {
    const receipts = ['neighbour-1', 'neighbour-2', 'proto', 'odd', 'SR-77'];
    const runs = await until('all accepted events are runs', async () => {
      const answer = await ask('GET', '/api/runs?limit=500');
      const ids = (answer.body['runs'] as { id: string }[]).map((run) => run.id);
      return ids.length >= receipts.length ? ids : null;
    });
    expect([...runs].sort()).toEqual([...receipts].sort());
  });

  /** The run of the first receipt, once the ledger has planned it. */
  async function shownRun(answer: Answer): Promise<Record<string, unknown>> {
    const [receipt] = answer.body['receipts'] as { run_id: string }[];
    return until('the run is planned', async () => {
      const run = await ask('GET', `/api/runs/${receipt?.run_id}`);
      return run.status === 200 ? { ...run.body } : null;
    });
  }
});
