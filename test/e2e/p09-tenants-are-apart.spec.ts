import { inTenant } from '@trunkline/storage';
import type { Council } from '../support/council.js';
import type { GatewayClient } from '../support/gateway-client.js';
import { councilEvent } from '../support/service-requests.js';
import { System } from '../support/system.js';

jest.setTimeout(120_000);

describe('P9: tenants are apart', () => {
  let system: System;
  let ours: Council;
  let theirs: Council;
  let own: GatewayClient;
  let stranger: GatewayClient;
  let runId = '';
  let tables: readonly { readonly name: string; readonly column: string; readonly isForced: boolean }[] = [];

  beforeAll(async () => {
    system = await System.start();
    [ours, theirs] = [await system.seed(), await system.seed({ name: 'Another Council' })];
    [own, stranger] = [system.client(ours), system.client(theirs)];
    await system.providers.techone.addFault({ match: { operation: 'saveWorkRequest' }, status: 400, times: 1 });
    [runId = ''] = (await own.publishSurely([councilEvent('ours-1')])).values();
    await system.untilState([runId], 'dead-lettered');
    tables = await system.reader.query(
      `select c.oid::regclass::text as name, case when c.relname = 'organisations' then 'id' else 'organisation_id' end as column, c.relrowsecurity and c.relforcerowsecurity as "isForced"
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition and has_table_privilege('app_tenant', c.oid, 'select')
         and (c.relname = 'organisations' or exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'organisation_id'))`,
    );
  });

  afterAll(() => system.end());

  it('answers a stranger as if nothing of ours existed', async () => {
    const { techone } = ours.integrations;
    const asked = [
      ['GET', `/api/runs/${runId}`], ['POST', `/api/runs/${runId}/replay`, {}], ['POST', `/api/runs/${runId}/cancel`], ['POST', `/api/runs/${runId}/steps/techone/settle`, { outcome: 'not_done' }],
      ['GET', `/api/integrations/${techone}`], ['POST', `/api/integrations/${techone}/pause`], ['POST', `/api/integrations/${techone}/test`], ['DELETE', `/api/integrations/${techone}`], ['GET', `/api/integrations/org/${ours.organisationId}`],
    ] as const;
    for (const [method, path, body] of asked) expect({ method, path, status: (await stranger.ask(method, path, body)).status }).toEqual({ method, path, status: 404 });
    expect((await own.ask('GET', `/api/runs/${runId}`)).status).toBe(200);
    const lists = await Promise.all(['/api/runs', '/api/dead-letters'].map(async (path) => (await stranger.ask('GET', path)).json));
    expect(lists).toEqual([{ runs: [], next: null }, { dead_letters: [], next: null }]);
    expect((await stranger.ask('POST', '/api/dead-letters/redrive', { run_id: runId })).json).toMatchObject({ matched: 0, redriven: 0 });
    expect((await system.reader.run(runId))?.state).toBe('dead-lettered');
  });

  it('keeps the same source and id of two organisations apart', async () => {
    const [theirRun = ''] = (await stranger.publishSurely([councilEvent('ours-1')])).values();
    expect(theirRun).not.toBe(runId);
    await system.untilState([theirRun], 'done');
    expect((await own.ask('GET', `/api/runs/${theirRun}`)).status).toBe(404);
  });

  it('believes the key and not what a request says about its organisation', async () => {
    const forged = { ...councilEvent('forged-1'), organisationid: ours.organisationId, organisation_id: ours.organisationId };
    await stranger.ask('POST', '/api/events', [forged], { 'content-type': 'application/cloudevents-batch+json', 'ce-organisationid': ours.organisationId, 'x-organisation-id': ours.organisationId });
    const rows = await system.reader.query<{ organisation_id: string }>(`select organisation_id from run_events where event_id = 'forged-1'`);
    expect(rows.every(({ organisation_id: owner }) => owner === theirs.organisationId)).toBe(true);
  });

  it('shows the application role no row of another organisation, in any table it may read', async () => {
    expect(tables.map(({ name }) => name)).toEqual(expect.arrayContaining(['runs', 'run_events', 'attempts', 'dead_letters', 'integrations', 'chain_versions', 'api_keys', 'organisations']));
    expect(tables.filter(({ isForced }) => !isForced)).toEqual([]);
    const counts = await Promise.all(tables.map(async ({ name, column }) => {
      const [all] = await system.reader.query<{ count: number }>(`select count(*)::int as count from ${name} where ${column} = $1`, [ours.organisationId]);
      const seen = await inTenant(system.database.databases, theirs.organisationId, (client) => client.query(`select from ${name} where ${column} = $1`, [ours.organisationId]));
      return { name, all: all?.count ?? 0, seen: seen.rowCount };
    }));
    // There is something to see, and it is not seen.
    expect(counts.filter(({ all }) => all > 0).length).toBeGreaterThanOrEqual(6);
    expect(counts.filter(({ seen }) => seen !== 0)).toEqual([]);
  });

  it('lets no write cross, and no role around the policies', async () => {
    const { databases } = system.database;
    await expect(inTenant(databases, theirs.organisationId, (client) => client.query(`insert into integrations (organisation_id, id, provider, name) values ($1, gen_random_uuid(), 'techone', 'stolen')`, [ours.organisationId]))).rejects.toMatchObject({ code: '42501' });
    const changed = await inTenant(databases, theirs.organisationId, (client) => client.query('update integrations set paused = true where organisation_id = $1', [ours.organisationId]));
    expect(changed.rowCount).toBe(0);
    expect((await databases.tenant.query('select from runs')).rowCount).toBe(0);
    expect(await system.reader.query(`select rolname from pg_roles where rolname like 'app\\_%' and (rolsuper or rolbypassrls or rolcreaterole)`)).toEqual([]);
  });
});
