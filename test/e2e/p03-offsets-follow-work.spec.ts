import { freePort } from '@trunkline/local-services';
import type { Council } from '../support/council.js';
import { mainOf, ServiceProcess } from '../support/service-process.js';
import { councilEvent, serviceRequests } from '../support/service-requests.js';
import { System } from '../support/system.js';
import { until } from '../support/until.js';

jest.setTimeout(180_000);

const eventsTopic = 'events.conversation_ended';

describe('P3: offsets follow work', () => {
  let system: System;
  let council: Council;
  let ledger: ServiceProcess;

  beforeAll(async () => {
    system = await System.start();
    council = await system.seed();
    // The ledger is a process of its own here, so that it can be killed.
    await system.stopLedger();
    const opsPort = await freePort();
    ledger = new ServiceProcess('ledger', [mainOf('sync-ledger')], { DATABASE_URL: system.database.url, OPS_PORT: String(opsPort) }, `http://127.0.0.1:${opsPort}/readyz`);
    ledger.start();
    await ledger.untilReady();
  });

  afterAll(async () => {
    await ledger.stop();
    await system.end();
  });

  const lag = async (): Promise<bigint> => (await system.log.lag('ledger')).filter(({ topic }) => topic === eventsTopic).reduce((sum, { lag: unread }) => sum + unread, 0n);

  it('passes no record whose flush was killed before its commit', async () => {
    const first = await system.client(council).publishSurely(serviceRequests(10));
    await system.untilState(first.values(), 'done');
    await until('everything having been committed', async () => (await lag()) === 0n);
    const blocker = await system.database.owner();
    // The flush reaches its writes and waits there: read, decided, not committed.
    await blocker.query('begin');
    await blocker.query('lock table run_events in exclusive mode');
    const runIds = await system.client(council).publishSurely(serviceRequests(40, 10));
    await until('a flush waiting in its transaction', async () => (await system.reader.query(`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and application_name = 'trunkline app_system'`)).length > 0);
    expect(await lag()).toBe(40n);
    await ledger.kill();
    await blocker.query('rollback');
    await blocker.end();
    // The backend that the killed process left behind goes without having written anything.
    await until('the killed flush being gone', async () => (await system.reader.query(`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`)).length === 0);
    expect(await lag()).toBe(40n);
    ledger.start();
    await system.untilState(runIds.values(), 'done', 45_000);
    expect((await system.effects()).length).toBe(150);
    await until('the offsets having followed', async () => (await lag()) === 0n);
  });

  it('passes a record that cannot be used only when it is a dead letter', async () => {
    const before = (await system.reader.query('select from dead_letters')).length;
    const organisation: readonly [string, Buffer] = ['ce_organisationid', Buffer.from(council.organisationId)];
    const key = Buffer.from('one-partition');
    await system.log.append(eventsTopic, Array.from({ length: 5 }, () => ({ key, value: Buffer.from('{'), headers: [organisation] })));
    const runIds = await system.client(council).publishSurely([councilEvent('behind-broken')]);
    await system.untilState(runIds.values(), 'done');
    await until('the offsets having followed', async () => (await lag()) === 0n);
    expect((await system.reader.query('select from dead_letters')).length).toBe(before + 5);
  });
});
