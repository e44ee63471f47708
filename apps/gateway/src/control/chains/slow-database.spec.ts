import { startTestGateway, type TestGateway } from '../../testing/test-gateway.js';

jest.setTimeout(60_000);

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway?.close());

it('says of a chain that could not be committed in time that nothing was saved, and saves it when it can', async () => {
  const { body } = await gateway.send('POST', `/api/integrations/org/${gateway.organisationId}`, { provider: 'salesforce', name: 'CRM', settings: { instance_url: 'http://127.0.0.1:9' }, credentials: { client_id: 'a', client_secret: 'b' } });
  const save = () => gateway.send('PUT', '/api/chains/conversation_ended', { steps: [{ name: 'summary', integration: body['id'], priority: 10, action: 'push_summary', input: { subject: { path: 'event.subject' } } }] });
  const owner = await gateway.database.owner();
  await owner.query(`create function slowly() returns trigger language plpgsql as $$ begin perform pg_sleep(0.7); return new; end $$`);
  await owner.query('create trigger slowly before insert on audit_entries for each row execute function slowly()');

  const refused = await save();
  expect(refused).toMatchObject({ status: 503, body: { code: 'chain.saved_too_slowly', fix: expect.stringContaining('Nothing was saved') } });
  expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
  expect((await gateway.send('GET', '/api/chains/conversation_ended')).status).toBe(404);
  expect(gateway.bugs).toEqual([]);

  await owner.query('drop trigger slowly on audit_entries');
  let saved = await save();
  for (const deadline = performance.now() + 30_000; saved.status === 503; saved = await save()) {
    if (performance.now() > deadline) throw new Error(`not saved within 30 s although nothing is slow any more: ${JSON.stringify(saved.body)}`);
  }
  expect(saved).toMatchObject({ status: 200, body: { version: 1 } });
});
