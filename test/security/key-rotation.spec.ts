import { masterKeysInUse, resealOrganisation, wrapAnew } from '@trunkline/custody';
import { signInAtSimulator, type SignedInIntegration } from '@trunkline/grants/testing';
import { openPool, placeOfGrant } from '@trunkline/storage';
import { localKeyWrapper, parseMasterKeys } from '@trunkline/vault';
import type { Pool } from 'pg';
import { councilChain, newMasterKeys, vaultOf, type Council } from '../support/council.js';
import { councilEvent } from '../support/service-requests.js';
import { System } from '../support/system.js';
import { until } from '../support/until.js';

jest.setTimeout(300_000);

describe('keys change while everything runs', () => {
  const [first, second] = [newMasterKeys(), newMasterKeys().replace('test-1', 'test-2')];
  const wrapperOf = (...keys: readonly string[]) => localKeyWrapper(parseMasterKeys(keys.join(',')));
  let system: System;
  let council: Council;
  let custody: Pool;
  let granted: SignedInIntegration;

  beforeAll(async () => {
    // As an operator prepares it: every process knows both keys.
    system = await System.start({ masterKeys: `${first},${second}` });
    // A call that a busy machine is late for has nothing to do with keys.
    council = await system.seed({ steps: (integrations) => councilChain(integrations).map((step) => ({ ...step, timeoutMs: 60_000 })) });
    // Salesforce is called in the name of a person who signed in.
    const { databases } = system.database;
    granted = await signInAtSimulator({ databases, vault: vaultOf(databases, `${first},${second}`), organisationId: council.organisationId, provider: 'salesforce', settings: { instance_url: system.providers.salesforce.url }, integrationId: council.integrations.salesforce });
    custody = openPool('app_custody', system.database.url, { max: 10 });
  });
  afterAll(async () => {
    await custody?.end();
    await granted?.close();
    await system?.end();
  });

  it('wraps and seals anew, again and again, under load: no call fails, and the old key can go', async () => {
    const client = system.client(council);
    const runs = new Set<string>();
    let tests = 0;
    let isOver = false;
    // Each goes on when what it has published is done, so that a slow machine is under load and not behind a backlog.
    const publishing = Promise.all(['a', 'b', 'c', 'd'].map(async (publisher) => {
      for (let batch = 0; !isOver; batch += 1) {
        const published = [...(await client.publishSurely([councilEvent(`${publisher}-${batch}-1`), councilEvent(`${publisher}-${batch}-2`)])).values()];
        for (const run of published) runs.add(run);
        await system.untilState(published, 'done');
      }
    }));
    const testing = (async () => {
      for (; !isOver; tests += 1) {
        const answer = await client.ask('POST', `/api/integrations/${council.integrations.salesforce}/test`);
        expect({ status: answer.status, text: answer.text }).toMatchObject({ status: 200, text: expect.stringContaining('"ok":true') });
      }
    })();
    for (let round = 0; round < 4; round += 1) {
      await wrapAnew(custody, round % 2 === 0 ? wrapperOf(second, first) : wrapperOf(first, second));
      const { resealed } = await resealOrganisation(system.database.databases, vaultOf(system.database.databases, `${second},${first}`), council.organisationId);
      // Tokens that somebody refreshed just then stand as they were stored.
      expect(resealed).toBeGreaterThanOrEqual(3);
      // The second from now on begins under the new keys.
      const before = tests;
      await until('a call under the new keys', () => tests > before + 1, 60_000);
      // A refresh in the middle of it: read under one data key, stored under the next.
      if (round === 1) await system.providers.salesforce.control('POST', '/expire-tokens');
    }
    const { total, seen } = await wrapAnew(custody, wrapperOf(second, first));
    isOver = true;
    await Promise.all([publishing, testing]);
    await system.untilState(runs, 'done');

    expect({ total, seen }).toEqual({ total: 5, seen: 5 });
    expect(tests).toBeGreaterThan(4);
    // A command that came twice finds its intent and is looked up; that has nothing to do with keys.
    const failed = await system.reader.query(`select step_id, outcome, code from attempts where outcome <> 'ok' and code is distinct from 'intent.open'`);
    expect(failed).toEqual([]);
    expect([...(await masterKeysInUse(custody, wrapperOf(second)))]).toEqual([['test-2', 5]]);
    const [row] = await system.reader.query<{ credentials: Buffer }>('select credentials from integrations where id = $1', [council.integrations.techone]);
    const afterwards = vaultOf(system.database.databases, second);
    expect(JSON.parse(String(await afterwards.open(row?.credentials ?? Buffer.alloc(0), { table: 'integrations', organisationId: council.organisationId, row: council.integrations.techone, field: 'credentials' })))).toMatchObject({ client_id: 'client' });
    const [grant] = await system.reader.query<{ tokens: Buffer; state: string }>('select tokens, state from grants');
    expect(grant?.state).toBe('connected');
    expect(JSON.parse(String(await afterwards.open(grant?.tokens ?? Buffer.alloc(0), placeOfGrant(council.organisationId, council.integrations.salesforce))))).toMatchObject({ answer: { refresh_token: expect.any(String) as unknown } });
  });

  it('shows the custody role wrapped keys and nothing else', async () => {
    const { rows } = await custody.query<{ table: string }>(`select distinct table_name as table from information_schema.column_privileges where grantee = 'app_custody'`);
    expect(rows).toEqual([{ table: 'data_keys' }]);
    await expect(custody.query('select * from integrations')).rejects.toThrow('permission denied');
    await expect(custody.query('delete from data_keys')).rejects.toThrow('permission denied');
  });
});
