import { randomUUID } from 'node:crypto';
import { appendEntry } from '@trunkline/audit';
import { actionCatalogue } from '@trunkline/connectors';
import { resultsTopic } from '@trunkline/contracts';
import { clearDepartures, offboard } from '@trunkline/custody';
import { signInAtSimulator } from '@trunkline/grants/testing';
import { createLedger, createLedgerVerbs } from '@trunkline/ledger';
import { placeOfCredentials, placeOfGrant } from '@trunkline/storage';
import { tenantTables } from '@trunkline/storage/testing';
import { vaultOf, type Council } from '../support/council.js';
import { councilEvent } from '../support/service-requests.js';
import { System } from '../support/system.js';
import { until } from '../support/until.js';

jest.setTimeout(180_000);

describe('an organisation leaves', () => {
  let system: System;
  let leaving: Council;
  let staying: Council;

  beforeAll(async () => {
    system = await System.start();
    leaving = await system.seed({ name: 'Harbour City Council' });
    staying = await system.seed({ name: 'Hill Shire' });
  });
  afterAll(() => system?.end());

  const rowsOf = async (organisationId: string): Promise<Readonly<Record<string, number>>> => {
    const owner = await system.database.owner();
    try {
      const counts: [string, number][] = [];
      for (const { table, column } of [...(await tenantTables(owner)), ...['api_key_index', 'due_work'].map((name) => ({ table: name, column: 'organisation_id' }))]) {
        const { rows } = await owner.query<{ count: number }>(`select count(*)::int as count from ${table} where ${column} = $1`, [organisationId]);
        counts.push([table, rows[0]?.count ?? 0]);
      }
      return Object.fromEntries(counts.filter(([, count]) => count > 0));
    } finally {
      await owner.end();
    }
  };

  const readEverything = () => until('the ledger reading everything', async () => (await system.log.lag('ledger')).every(({ lag }) => lag <= 0n), 60_000, 50);

  it('at once nobody opens its credentials, and in the end nothing of it is left; nobody else notices', async () => {
    const [client, neighbour] = [system.client(leaving), system.client(staying)];
    await system.untilState((await client.publishSurely([councilEvent('before-1'), councilEvent('before-2')])).values(), 'done');
    const kept = await neighbour.publishSurely([councilEvent('kept-1')]);
    await system.untilState(kept.values(), 'done');
    // Held work and a dead letter are part of what must go.
    expect((await client.ask('POST', `/api/integrations/${leaving.integrations.techone}/pause`)).status).toBe(200);
    let held = 0;
    // A ledger hears of a pause within a second; what comes before that still passes.
    await until('held steps', async () => {
      await client.publishSurely([councilEvent(`held-${(held += 1)}`)]);
      return (await system.reader.query('select from due_work where organisation_id = $1', [leaving.organisationId])).length > 0;
    }, 60_000, 250);
    // All of it has been planned and stands, so that nothing is on its way but what is held.
    await until('each run standing', async () => (await system.reader.query<{ steps: string }>('select steps from runs where organisation_id = $1', [leaving.organisationId])).filter(({ steps }) => (JSON.parse(steps) as readonly { readonly state: string }[]).every(({ state }) => state !== 'sent')).length === held + 2, 60_000);
    await readEverything();
    // Somebody signed in at a provider for it.
    const vault = vaultOf(system.database.databases, system.masterKeys);
    const granted = await signInAtSimulator({ databases: system.database.databases, vault, organisationId: leaving.organisationId, provider: 'salesforce', settings: { instance_url: system.providers.salesforce.url }, integrationId: leaving.integrations.salesforce });
    const [tokens] = await system.reader.query<{ tokens: Buffer }>('select tokens from grants where organisation_id = $1', [leaving.organisationId]);
    const before = await rowsOf(leaving.organisationId);
    expect(Object.keys(before)).toEqual(expect.arrayContaining(['runs', 'run_events', 'attempts', 'integrations', 'data_keys', 'api_keys', 'api_key_index', 'chain_versions', 'due_work', 'grants']));
    const [sealed] = await system.reader.query<{ credentials: Buffer }>('select credentials from integrations where id = $1', [leaving.integrations.genesys]);

    const progress: string[] = [];
    const report = await offboard(system.database.databases, leaving.organisationId, { onProgress: ({ table }) => progress.push(table) });
    expect(report.deleted).toMatchObject({ runs: held + 2, run_events: held + 2, integrations: 3 });
    expect(progress).toContain('attempts');
    expect(await rowsOf(leaving.organisationId)).toEqual({});
    await expect(vault.open(sealed?.credentials ?? Buffer.alloc(0), placeOfCredentials(leaving.organisationId, leaving.integrations.genesys))).rejects.toMatchObject({ code: 'vault.data_key_unknown' });
    await expect(vault.open(tokens?.tokens ?? Buffer.alloc(0), placeOfGrant(leaving.organisationId, leaving.integrations.salesforce))).rejects.toMatchObject({ code: 'vault.data_key_unknown' });
    expect(await granted.grant().obtain(null)).toMatchObject({ kind: 'none', failure: { class: 'auth', code: 'auth.not_connected' } });
    await granted.close();
    expect(await offboard(system.database.databases, leaving.organisationId)).toMatchObject({ keysDestroyedAt: report.keysDestroyedAt, deleted: { runs: 0, integrations: 0 } });
    await expect(offboard(system.database.databases, randomUUID())).rejects.toMatchObject({ code: 'custody.organisation_unknown' });

    await system.untilState((await neighbour.publishSurely([councilEvent('after-1')])).values(), 'done');
    expect((await rowsOf(staying.organisationId))['runs']).toBe(2);
  });

  it('ended in the middle it has destroyed the keys already, and goes on when started again', async () => {
    const council = await system.seed({ name: 'Third Council' });
    await system.untilState((await system.client(council).publishSurely([councilEvent('third-1')])).values(), 'done');
    const [sealed] = await system.reader.query<{ credentials: Buffer }>('select credentials from integrations where id = $1', [council.integrations.genesys]);
    await expect(offboard(system.database.databases, council.organisationId, { onProgress: () => { throw new Error('ended here'); } })).rejects.toThrow('ended here');
    await expect(vaultOf(system.database.databases, system.masterKeys).open(sealed?.credentials ?? Buffer.alloc(0), placeOfCredentials(council.organisationId, council.integrations.genesys))).rejects.toMatchObject({ code: 'vault.data_key_destroyed' });
    await offboard(system.database.databases, council.organisationId);
    expect(await rowsOf(council.organisationId)).toEqual({});
  });

  /** An offboarding is known by what it asks for; it stands there until the other transaction ends. */
  const offboardingWaits = (statement: string) => until('the offboarding waiting', async () => (await system.reader.query(`select from pg_stat_activity where wait_event_type = 'Lock' and query like $1 and datname = current_database()`, [`${statement}%`])).length > 0, 60_000, 20);

  const entry = { actor: 'key:one', address: '127.0.0.1', action: 'integrations:write', outcome: 'done', requestId: 'one', before: null, after: null };

  it('while somebody pauses an integration of it: neither stops the other', async () => {
    const council = await system.seed({ name: 'Paused Council' });
    const { databases } = system.database;
    let going: Promise<unknown> = Promise.resolve();
    const pausing = createLedgerVerbs({ databases, catalogue: actionCatalogue }).pause(council.organisationId, council.integrations.techone, async (transaction) => {
      going = offboard(databases, council.organisationId);
      await offboardingWaits('update integrations');
      await appendEntry(transaction, council.organisationId, { ...entry, subject: 'pause' });
    });
    const [paused] = await Promise.allSettled([pausing]);
    const [left] = await Promise.allSettled([going]);
    expect([paused, left]).toMatchObject([{ status: 'fulfilled' }, { status: 'fulfilled' }]);
    expect(await rowsOf(council.organisationId)).toEqual({});
  });

  it('while somebody disconnects an integration of it: neither stops the other', async () => {
    const council = await system.seed({ name: 'Disconnected Council' });
    const owner = await system.database.owner();
    try {
      const words = [council.organisationId, council.integrations.salesforce];
      await owner.query(`insert into grants (organisation_id, integration_id, provider, state, tokens, connected_by) values ($1, $2, 'salesforce', 'connected', 'x', 'key:one')`, words);
      // In the order in which grants are stored and let go of.
      await owner.query('begin');
      await owner.query('select from grants where organisation_id = $1 and integration_id = $2 for update', words);
      const left = Promise.allSettled([offboard(system.database.databases, council.organisationId)]);
      await offboardingWaits('update grants');
      await owner.query('update integrations set version = version + 1 where organisation_id = $1 and id = $2', words);
      await appendEntry(owner, council.organisationId, { ...entry, subject: 'disconnect' });
      await owner.query('commit');
      expect(await left).toMatchObject([{ status: 'fulfilled' }]);
    } finally {
      await owner.end();
    }
    expect(await rowsOf(council.organisationId)).toEqual({});
  });

  it('while a process makes it a new data key: that one is destroyed too', async () => {
    const council = await system.seed({ name: 'Rekeyed Council' });
    const owner = await system.database.owner();
    try {
      await owner.query('begin');
      await owner.query('update data_keys set is_current = false where organisation_id = $1', [council.organisationId]);
      await owner.query(`insert into data_keys (organisation_id, id, wrapped) values ($1, gen_random_uuid(), 'x')`, [council.organisationId]);
      const ended = Promise.allSettled([offboard(system.database.databases, council.organisationId, { onProgress: () => { throw new Error('ended here'); } })]);
      await offboardingWaits('');
      await owner.query('commit');
      expect(await ended).toMatchObject([{ reason: { message: 'ended here' } }]);
      expect((await owner.query('select wrapped from data_keys where organisation_id = $1', [council.organisationId])).rows).toEqual([{ wrapped: null }, { wrapped: null }]);
    } finally {
      await owner.end();
    }
  });

  const lateEvent = `insert into run_events (organisation_id, run_id, type, source, event_id, data) values ($1, gen_random_uuid(), 't', '/s', 'late', 'x')`;

  it('while somebody writes between its passes and once more before its row goes: it goes on until there is nothing', async () => {
    const council = await system.seed({ name: 'Written Council' });
    const owners = await Promise.all([1, 2].map(async () => {
      const owner = await system.database.owner();
      return owner;
    }));
    try {
      // Each has written for it and refers to its row, as with an audit entry; seen by nobody until it is committed.
      for (const owner of owners) {
        await owner.query('begin');
        await owner.query(lateEvent, [council.organisationId]);
        await owner.query('select from organisations where id = $1 for key share', [council.organisationId]);
      }
      const told: string[] = [];
      const left = Promise.allSettled([offboard(system.database.databases, council.organisationId, { onProgress: ({ table }) => told.push(table) })]);
      await offboardingWaits('%organisations');
      expect(told).not.toContain('run_events');
      for (const owner of owners) await owner.query('commit');
      expect(await left).toMatchObject([{ status: 'fulfilled', value: { deleted: { run_events: 2 } } }]);
      expect(told).toContain('run_events');
    } finally {
      for (const owner of owners) await owner.end();
    }
    expect(await rowsOf(council.organisationId)).toEqual({});
  });

  it('while something writes for it without end: it says so after a time, and goes on when started again', async () => {
    const council = await system.seed({ name: 'Endless Council' });
    const owner = await system.database.owner();
    try {
      await owner.query(lateEvent, [council.organisationId]);
      // Whatever is deleted of it is there again.
      await owner.query(`create function written_again() returns trigger language plpgsql security definer as $$ begin if old.event_id = 'late' then insert into public.run_events (organisation_id, run_id, type, source, event_id, data) values (old.organisation_id, gen_random_uuid(), 't', '/s', 'late', 'x'); end if; return old; end $$`);
      await owner.query('create trigger written_again after delete on run_events for each row execute function written_again()');
      await expect(offboard(system.database.databases, council.organisationId, { patienceMs: 100 })).rejects.toMatchObject({ code: 'custody.still_written' });
      expect(await rowsOf(council.organisationId)).toMatchObject({ organisations: 1, run_events: 1 });
      await owner.query('drop trigger written_again on run_events');
      expect((await offboard(system.database.databases, council.organisationId)).deleted).toMatchObject({ run_events: 1 });
    } finally {
      await owner.query('drop trigger if exists written_again on run_events');
      await owner.query('drop function if exists written_again');
      await owner.end();
    }
    expect(await rowsOf(council.organisationId)).toEqual({});
  });

  it('nothing begins for it any more: not with a key that the gateway remembers, which everything else refuses', async () => {
    const council = await system.seed({ name: 'Late Council' });
    const client = system.client(council);
    await system.untilState((await client.publishSurely([councilEvent('early-1', { subject: 'S' })])).values(), 'done');
    await offboard(system.database.databases, council.organisationId);
    // Twice the same id with other contents: no dead letter of that either.
    for (const summary of ['one', 'other']) expect((await client.publish([councilEvent('late-1', { subject: 'S', data: { summary } })])).status).toBe(202);
    expect(await client.ask('GET', '/api/organisation')).toMatchObject({ status: 401, json: { code: 'identity.unauthenticated' } });
    expect(await client.ask('POST', '/api/keys', { name: 'another', scopes: ['read'] })).toMatchObject({ status: 401, json: { code: 'identity.unauthenticated' } });
    await readEverything();
    const { runs, run_events: events, dead_letters: letters } = await rowsOf(council.organisationId);
    expect({ runs, events, letters }).toEqual({});
    await clearDepartures(system.database.databases);
    expect(await rowsOf(council.organisationId)).toEqual({});
  });

  it('nothing begins for it either when the ledger reads its events only afterwards', async () => {
    const council = await system.seed({ name: 'Unread Council' });
    await system.stopLedger();
    await system.client(council).publishSurely([councilEvent('unread-1'), councilEvent('unread-2', { subject: 'S' })]);
    await offboard(system.database.databases, council.organisationId);
    await system.startLedger();
    await readEverything();
    expect(await rowsOf(council.organisationId)).toEqual({});
  });

  it('its answers that are read afterwards leave no calls and no dead letters: neither repeats nor those of a run that nobody knows', async () => {
    const council = await system.seed({ name: 'Answered Council' });
    // A run that goes on is one that the ledger has in memory.
    await system.providers.techone.addFault({ match: { operation: 'saveWorkRequest' }, status: 503 });
    const [runId = ''] = (await system.client(council).publishSurely([councilEvent('answered-1')])).values();
    await until('a second step that fails', async () => (await system.reader.query('select from attempts where run_id = $1', [runId])).length >= 2);
    const answers = await system.reader.query<{ key: Buffer; value: Buffer }>(`select r.key, r.value from event_log.records r join event_log.topics t using (topic_id) where t.name = $1 and convert_from(r.value, 'UTF8') like '%' || $2 || '%'`, [resultsTopic, runId]);
    expect(answers.length).toBeGreaterThanOrEqual(2);
    await offboard(system.database.databases, council.organisationId);
    const again = [...answers, ...answers.map(({ value }) => ({ key: null, value: Buffer.from(value.toString('utf8').replaceAll(runId, randomUUID())) }))];
    await system.log.append(resultsTopic, again.map((record) => ({ ...record, headers: [] })));
    await readEverything();
    await system.providers.techone.clearFaults();
    const { attempts, dead_letters: letters } = await rowsOf(council.organisationId);
    expect({ attempts, letters }).toEqual({});
  });

  it('what was on its way is taken away by the clearing, which forgets it once no topic has anything of it', async () => {
    const council = await system.seed({ name: 'Slow Council' });
    await offboard(system.database.databases, council.organisationId);
    const owner = await system.database.owner();
    try {
      const lateRow = () => owner.query(lateEvent, [council.organisationId]);
      const known = async () => (await owner.query('select from departures where organisation = $1', [council.organisationId])).rowCount;
      await lateRow();
      // As the ledger does it by itself.
      await createLedger({ databases: system.database.databases, eventLog: system.log, catalogue: actionCatalogue }).passes.retention();
      expect([await rowsOf(council.organisationId), await known()]).toEqual([{}, 1]);
      await lateRow();
      expect((await offboard(system.database.databases, council.organisationId)).deleted).toMatchObject({ run_events: 1 });
      await lateRow();
      await owner.query(`update departures set left_at = left_at - interval '9 days' where organisation = $1`, [council.organisationId]);
      await clearDepartures(system.database.databases);
      expect([await rowsOf(council.organisationId), await known()]).toEqual([{}, 0]);
      // Nobody remembers it; what is there goes all the same.
      await lateRow();
      expect((await offboard(system.database.databases, council.organisationId)).deleted).toMatchObject({ run_events: 1 });
      expect((await rowsOf(staying.organisationId))['organisations']).toBe(1);
    } finally {
      await owner.end();
    }
  });

  it('leaves no table out', async () => {
    const council = await system.seed({ name: 'Fourth Council' });
    const owner = await system.database.owner();
    try {
      const { deleted } = await offboard(system.database.databases, council.organisationId);
      const goWithIt = ['organisations', 'chain_versions', 'audit_entries'];
      expect((await tenantTables(owner)).map(({ table }) => table).filter((table) => !goWithIt.includes(table) && !(table in deleted))).toEqual([]);
    } finally {
      await owner.end();
    }
  });
});
