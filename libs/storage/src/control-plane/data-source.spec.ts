import { randomUUID } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { openTestDatabase } from '../testing/index.js';
import type { TestDatabase } from '../testing/index.js';
import { databaseClock } from '../clock.js';
import { inTenantRepositories, openDataSource } from './data-source.js';
import { chainVersionEntity, integrationEntity, organisationEntity } from './entities.js';

describe('the control plane', () => {
  let database: TestDatabase;
  let source: DataSource;
  const own = randomUUID();
  const other = randomUUID();

  beforeAll(async () => {
    database = await openTestDatabase();
    source = await openDataSource(database.url);
    for (const id of [own, other]) await inTenantRepositories(source, id, (manager) => manager.getRepository(organisationEntity).insert({ id, name: `organisation ${id}` }));
  }, 60_000);
  afterAll(async () => {
    await source?.destroy();
    await database?.close();
  });

  it('reads back what was saved, and counts versions', async () => {
    const id = randomUUID();
    const credentials = Buffer.from([0, 255, 1]);
    const saved = await inTenantRepositories(source, own, async (manager) => {
      const integrations = manager.getRepository(integrationEntity);
      await integrations.insert({ organisationId: own, id, provider: 'genesys', name: 'Contact centre', settings: { region: 'ap' }, credentials });
      await integrations.save({ organisationId: own, id, paused: true });
      return integrations.findOneByOrFail({ organisationId: own, id });
    });
    expect(saved).toMatchObject({ provider: 'genesys', settings: { region: 'ap' }, paused: true, version: 2, createdAt: expect.any(Date) });
    expect(saved.credentials?.equals(credentials)).toBe(true);
  });

  it('keeps chains as written', async () => {
    const steps = [{ id: 'a', name: 'a', integrationId: randomUUID(), provider: 'x', action: 'y', priority: 10, condition: null, input: {}, onFailure: 'stop' as const, timeoutMs: 1, retry: { attempts: 1, backoffMs: 1, maxBackoffMs: 1 }, ordering: 'none' as const, reads: [] }];
    const found = await inTenantRepositories(source, own, async (manager) => {
      const chains = manager.getRepository(chainVersionEntity);
      await chains.insert({ organisationId: own, eventType: 'conversation_ended', assistantId: '', version: 1, steps, validFrom: new Date(0) });
      return chains.findOneByOrFail({ eventType: 'conversation_ended' });
    });
    expect(found).toMatchObject({ steps, validFrom: new Date(0) });
  });

  it('shows an organisation nothing of another', async () => {
    await inTenantRepositories(source, other, async (manager) => {
      expect(await manager.getRepository(integrationEntity).find()).toEqual([]);
      expect(await manager.getRepository(organisationEntity).find()).toMatchObject([{ id: other }]);
      await expect(manager.getRepository(organisationEntity).insert({ id: randomUUID(), name: 'x' })).rejects.toThrow(/row-level security/);
    }).catch((error: Error) => expect(error.message).toMatch(/aborted|row-level/));
  });

  it('shows nothing at all outside such a transaction', async () => {
    expect(await source.getRepository(integrationEntity).find()).toEqual([]);
  });

  it('knows the time of the database', async () => {
    const { offsetMs, uncertaintyMs } = await databaseClock(database.databases.system).offset();
    expect(Math.abs(offsetMs)).toBeLessThanOrEqual(uncertaintyMs + 1_000);
  });
});
