import { connect } from 'node:net';
import { openTestDatabase, type TestDatabase } from '@trunkline/storage/testing';
import { createIdentity, createPeople } from '@trunkline/identity';
import { readGatewayConfig } from './config.js';
import { type RunningGateway, startGateway } from './start-gateway.js';

jest.setTimeout(120_000);

const masterKeys = { keys: [{ id: 'test', key: Buffer.alloc(32, 7) }], current: 'test' };
const quiet = { warn: () => undefined, error: () => undefined, info: () => undefined, debug: () => undefined, child: () => quiet };

describe('the gateway as a process', () => {
  let database: TestDatabase;
  let apiKey = '';

  beforeAll(async () => {
    database = await openTestDatabase();
    const identity = createIdentity({ databases: database.databases });
    const { id } = await identity.createOrganisation({ name: 'Harbour City Council' });
    ({ apiKey } = await identity.createApiKey({ organisationId: id, name: 'spec', scopes: ['publish'] }));
  }, 120_000);
  afterAll(() => database.close());

  const start = (environment: Record<string, string> = {}): Promise<RunningGateway> => startGateway(readGatewayConfig({ DATABASE_URL: database.url, PORT: '0', OPS_PORT: '0', ANSWER_WITHIN_MS: '20000', ...environment }), { masterKeys, logger: quiet });
  const publish = (url: string, id: string): Promise<Response> =>
    fetch(`${url}/api/events`, { method: 'POST', headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' }, body: JSON.stringify({ specversion: '1.0', id, source: '/s', type: 'kb_sync', data: { knowledge_base_id: 'kb' } }) });
  const untilReady = async ({ opsUrl }: RunningGateway): Promise<void> => {
    const deadline = performance.now() + 20_000;
    while (!(await fetch(`${opsUrl}/readyz`)).ok && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 25));
  };

  it('names every variable that is missing or wrong, never its value', () => {
    expect(() => readGatewayConfig({ DATABASE_URL: 'mysql://secret@host', PORT: 'http', KAFKA_BROKERS: 'nowhere' })).toThrow(/PORT.*DATABASE_URL.*KAFKA_BROKERS/);
    expect(() => readGatewayConfig({ DATABASE_URL: 'mysql://secret@host' })).not.toThrow(/secret/);
  });

  it('answers on its port and, apart from it, on the operations port', async () => {
    const gateway = await start();
    await untilReady(gateway);
    // A gateway that has not met a key asks for it within a second or says 503.
    let { status } = await publish(gateway.url, '1');
    for (const deadline = performance.now() + 60_000; status === 503 && performance.now() < deadline; ({ status } = await publish(gateway.url, '1'))) await new Promise((resolve) => setTimeout(resolve, 1_100));
    expect(status).toBe(202);
    expect(await (await fetch(`${gateway.opsUrl}/healthz`)).json()).toEqual({ healthy: true });
    expect(await (await fetch(`${gateway.opsUrl}/metrics`)).text()).toContain('trunkline_topic_in_records_total{topic="events.kb_sync"} 1');
    expect((await fetch(`${gateway.url}/metrics`)).status).toBe(404);
    await gateway.close();
  });

  it('shows a set-up token while nobody owns the platform, to its starter alone, and none afterwards', async () => {
    const shown: string[] = [];
    const announce = (text: string): void => void shown.push(text);
    const config = readGatewayConfig({ DATABASE_URL: database.url, PORT: '0', OPS_PORT: '0' });
    const first = await startGateway(config, { masterKeys, logger: quiet, announce });
    const deadline = performance.now() + 15_000;
    while (shown.length === 0 && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 25));
    const token = /tsu_[\w-]{43}/.exec(shown.join())?.[0] ?? '';
    const made = await fetch(`${first.url}/api/setup`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ token, organisation: 'New council', name: 'First', email: 'first@example.org', password: 'correct horse battery staple' }) });
    expect(made.status).toBe(201);
    await first.close();
    expect(await createPeople({ databases: database.databases }).setup.offer()).toBeNull();
  });

  it('says which port is taken', async () => {
    const gateway = await start();
    await expect(start({ PORT: new URL(gateway.url).port })).rejects.toMatchObject({ code: 'gateway.port_taken' });
    await gateway.close();
  });

  it('answers what it has taken in before it closes, and then takes nothing', async () => {
    const gateway = await start();
    await untilReady(gateway);
    const answers = Array.from({ length: 20 }, (_, index) => publish(gateway.url, `closing-${index}`).then(({ status }) => status, () => 'refused'));
    await new Promise((resolve) => setImmediate(resolve));
    await gateway.close();
    for (const answer of await Promise.all(answers)) expect([202, 503, 'refused']).toContain(answer);
    await expect(publish(gateway.url, 'after')).rejects.toThrow();
  });

  it('closes although a client keeps its connection open', async () => {
    const gateway = await start();
    const { port } = new URL(gateway.url);
    const idle = connect(Number(port), '127.0.0.1');
    await new Promise((resolve) => idle.once('connect', resolve));
    idle.on('error', () => undefined);
    await gateway.close();
    idle.destroy();
  });

  it('answers malformed HTTP with a problem and goes on', async () => {
    const gateway = await start();
    const { port } = new URL(gateway.url);
    const answer = await new Promise<string>((resolve) => {
      const socket = connect(Number(port), '127.0.0.1', () => socket.write('NONSENSE\r\n\r\n'));
      let text = '';
      socket.on('data', (data) => (text += data.toString()));
      socket.on('close', () => resolve(text));
    });
    expect(answer).toMatch(/^HTTP\/1\.1 400 [\s\S]*application\/problem\+json[\s\S]*request\.malformed/);
    await gateway.close();
  });
});
