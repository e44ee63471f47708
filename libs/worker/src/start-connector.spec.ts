import { migrate } from '@trunkline/storage';
import { openTestDatabase, type TestDatabase } from '@trunkline/storage/testing';
import { createLogger } from '@trunkline/telemetry';
import { masterKeys } from './testing/bench.js';
import { readConnectorConfig, startConnector } from './index.js';

jest.setTimeout(60_000);
let database: TestDatabase;

beforeAll(async () => {
  database = await openTestDatabase();
  await migrate(database.url);
});
afterAll(() => database.close());

it('names what is missing in its configuration', () => {
  expect(() => readConnectorConfig({})).toThrow(/DATABASE_URL/);
});

it('is ready once it has joined its group, and stops within its time', async () => {
  const running = await startConnector({ family: 'crm', providers: [] }, readConnectorConfig({ DATABASE_URL: database.url }), { databases: database.databases, masterKeys, logger: createLogger({ app: 'spec', level: 'silent' }) });
  const ready = await fetch(`${running.opsUrl}/readyz`);
  expect(await ready.json()).toEqual({ ready: true, missing: [] });
  await running.stop(5_000);
});

it('waits for a database that is away instead of ending, and can be stopped meanwhile', async () => {
  const running = await startConnector({ family: 'crm', providers: [] }, readConnectorConfig({ DATABASE_URL: 'postgres://postgres@127.0.0.1:1/none' }), { masterKeys, logger: createLogger({ app: 'spec', level: 'silent' }) });
  const ready = await fetch(`${running.opsUrl}/readyz`);
  expect(ready.status).toBe(503);
  expect(((await ready.json()) as { missing: { name: string }[] }).missing.map(({ name }) => name)).toEqual(expect.arrayContaining(['database', 'consumers']));
  await running.stop(5_000);
});
