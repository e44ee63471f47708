import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { freePort, startPostgres, type PostgresServer } from '@trunkline/local-services';
import { migrate, openDatabases } from '@trunkline/storage';
import { councilProviders, newMasterKeys, seedCouncil, vaultOf } from '../../support/council.js';
import { effectsIn, judge } from '../../support/effects.js';
import { GatewayClient } from '../../support/gateway-client.js';
import { LedgerReader } from '../../support/ledger-reader.js';
import { NearProvider } from '../../support/provider.js';
import { mainOf, ServiceProcess } from '../../support/service-process.js';
import { councilEvent } from '../../support/service-requests.js';
import { until } from '../../support/until.js';
import { tellFigure } from '../figures.js';
import { faultSeconds } from '../seconds.js';

const lastsSeconds = faultSeconds(10);
jest.setTimeout((lastsSeconds + 180) * 1_000);

/** Faked by libfaketime: the wall clock only, as a machine whose time is set wrong. */
const wrongClock = (offset: string): Readonly<Record<string, string>> => ({ LD_PRELOAD: process.env['LIBFAKETIME'] ?? '', FAKETIME: offset, FAKETIME_DONT_FAKE_MONOTONIC: '1', DONT_FAKE_MONOTONIC: '1' });

describe('a worker whose clock is two hours off, beside one that is right', () => {
  const folder = mkdtempSync(join(tmpdir(), 'trunkline-clock-'));
  const processes: ServiceProcess[] = [];
  let providers: readonly NearProvider[] = [];
  let database: PostgresServer;
  let client: GatewayClient;

  beforeAll(async () => {
    chmodSync(folder, 0o755);
    database = await startPostgres({ dataDir: join(folder, 'pg') });
    await migrate(database.url);
    providers = await Promise.all(councilProviders.map((name) => NearProvider.start(name, { latencyMs: 50 })));
    const masterKeys = newMasterKeys();
    const databases = openDatabases(database.url);
    const council = await seedCouncil({ databases, vault: vaultOf(databases, masterKeys), addresses: Object.fromEntries(providers.map(({ name, url }) => [name, url])) });
    await databases.close();
    const port = await freePort();
    client = new GatewayClient(`http://127.0.0.1:${port}`, council.apiKey);
    const members = [
      ['gateway', 'gateway', {}], ['ledger', 'sync-ledger', {}], ['contact centre', 'connector-contact-centre', {}], ['crm', 'connector-crm', wrongClock('+2h')],
      ['erp, right', 'connector-erp', {}], ['erp, ahead', 'connector-erp', wrongClock('+2h')], ['erp, behind', 'connector-erp', wrongClock('-2h')],
    ] as const;
    for (const [name, app, clock] of members) {
      const opsPort = await freePort();
      const started = new ServiceProcess(name, [mainOf(app)], { OUTBOUND_ALLOW: '127.0.0.1', DATABASE_URL: database.url, TRUNKLINE_MASTER_KEYS: masterKeys, PORT: String(port), OPS_PORT: String(opsPort), ...clock }, `http://127.0.0.1:${opsPort}/readyz`);
      processes.push(started);
      started.start();
    }
    await Promise.all(processes.map((started) => started.untilReady()));
  });

  afterAll(async () => {
    await Promise.allSettled(processes.map((started) => started.stop()));
    await Promise.allSettled(providers.map((provider) => provider.remove()));
    await database.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('nothing lost, nothing doubled, nobody waits two hours, and no member takes what another holds', async () => {
    const reader = new LedgerReader(database.url);
    const [clocks] = await reader.query<{ owners: number }>('select count(distinct member_id)::int as owners from event_log.positions where member_id is not null');
    const epochs = async () => (await reader.query<{ sum: string }>('select sum(epoch)::text as sum from event_log.positions'))[0]?.sum;
    const before = await epochs();
    const eventIds: string[] = [];
    const endsAt = performance.now() + lastsSeconds * 1_000;
    while (performance.now() < endsAt) {
      const events = Array.from({ length: 5 }, (_, index) => councilEvent(`clock-${eventIds.length + index}`, { subject: `place ${index}` }));
      await client.publishSurely(events);
      eventIds.push(...events.map(({ id }) => id));
      await wait(250);
    }
    await until('all runs done', async () => (await reader.count('done')) === eventIds.length, 60_000, 100).catch(async (error: unknown) => {
      throw new Error(`${String(error)}: ${JSON.stringify((await reader.runs()).filter(({ state }) => state !== 'done').slice(0, 3))}`);
    });
    const journals = await Promise.all(providers.map(async (provider) => effectsIn(provider.name, await provider.journal())));
    expect(judge(journals.flat(), { eventIds, providers: councilProviders, planned: await reader.planned(), ordered: 'techone' })).toEqual({ effects: 3 * eventIds.length, lost: [], doubled: [], outOfOrder: [] });
    // Leases are measured by the database's clock: nobody has taken a partition from somebody alive.
    expect(await epochs()).toBe(before);
    const [slow] = await reader.query<{ p95: number }>('select percentile_cont(0.95) within group (order by extract(epoch from finished_at - accepted_at) * 1000)::float8 as p95 from runs');
    tellFigure(`clocks two hours ahead and behind on workers ${lastsSeconds} s`, `${eventIds.length} events, 0 lost, 0 doubled, 0 out of order, no lease taken from ${clocks?.owners ?? 0} members, p95 ${Math.round(slow?.p95 ?? 0)} ms`);
  });
});
