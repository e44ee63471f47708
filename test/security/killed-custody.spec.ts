import { randomBytes, randomUUID } from 'node:crypto';
import { masterKeysInUse } from '@trunkline/custody';
import { openPool, placeOfCredentials } from '@trunkline/storage';
import { openTestDatabase, type TestDatabase } from '@trunkline/storage/testing';
import { until } from '../support/until.js';
import { localKeyWrapper, parseMasterKeys, placeOfDataKey } from '@trunkline/vault';
import { type Client, Pool } from 'pg';
import { newMasterKeys, vaultOf } from '../support/council.js';
import { type Ended, runCommand } from '../support/command.js';

jest.setTimeout(120_000);

/** The operator's jobs as an operator runs them: processes of their own, killed in the middle and started again. */
describe('an operator’s job that is killed', () => {
  const [first, second] = [newMasterKeys(), newMasterKeys().replace('test-1', 'test-2')];
  let database: TestDatabase;
  let owner: Client;
  let custody: Pool;

  beforeAll(async () => {
    database = await openTestDatabase();
    owner = await database.owner();
    custody = openPool('app_custody', database.url, { max: 10 });
  });
  afterAll(async () => {
    await custody?.end();
    await database?.close();
  });

  const run = (words: readonly string[], masterKeys: string, killAt: Promise<void> | null): Promise<Ended> => runCommand(words, { DATABASE_URL: database.url, TRUNKLINE_MASTER_KEYS: masterKeys }, killAt);

  /** While this row is held, who has to change it stands still: what is to be killed in the middle cannot come to its end before. */
  async function holding(rowOf: string, values: readonly unknown[], job: (stands: () => Promise<void>) => Promise<Ended>): Promise<Ended> {
    const holder = await database.owner();
    try {
      await holder.query('begin');
      expect((await holder.query(`${rowOf} for update`, [...values])).rowCount).toBe(1);
      return await job(() => until('the job standing before the row', async () => ((await owner.query(`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`)).rowCount ?? 0) > 0, 60_000).then(() => undefined));
    } finally {
      await holder.query('rollback');
      await holder.end();
    }
  }

  it('wraps the rest of the data keys when it is started again, and tells how far it is', async () => {
    const wrapper = localKeyWrapper(parseMasterKeys(first));
    const total = 3_000;
    const rows = await Promise.all(Array.from({ length: total }, async () => {
      const [organisationId, id] = [randomUUID(), randomUUID()];
      return { organisationId, id, wrapped: (await wrapper.wrap(randomBytes(32), placeOfDataKey(organisationId, id))).toString('hex') };
    }));
    const list = JSON.stringify(rows);
    await owner.query(`insert into organisations (id, name) select (r->>'organisationId')::uuid, 'one of many' from jsonb_array_elements($1::jsonb) r`, [list]);
    await owner.query(`insert into data_keys (organisation_id, id, wrapped) select (r->>'organisationId')::uuid, (r->>'id')::uuid, decode(r->>'wrapped', 'hex') from jsonb_array_elements($1::jsonb) r`, [list]);

    const killed = await holding('select from data_keys where (organisation_id, id) = (select organisation_id, id from data_keys order by 1, 2 offset 1500 limit 1)', [], (stands) => run(['secrets', 'rotate'], `${second},${first}`, stands()));
    expect(killed).toMatchObject({ signal: 'SIGKILL', told: expect.stringMatching(/\d+ of 3000 data keys looked at/) });
    const both = localKeyWrapper(parseMasterKeys(`${second},${first}`));
    const between = await masterKeysInUse(custody, both);
    expect([between.get('test-1') ?? 0, between.get('test-2') ?? 0].every((count) => count > 0)).toBe(true);

    const again = await run(['secrets', 'rotate', '--output', 'json'], `${second},${first}`, null);
    expect(again).toMatchObject({ status: 0, told: expect.stringMatching(/3000 of 3000 data keys looked at/) });
    // What the killed one had done was not done a second time.
    expect(again.told).toMatch(new RegExp(`"wrapped_anew": ?${between.get('test-1') ?? 0}\\b`));
    expect([...(await masterKeysInUse(custody, both))]).toEqual([['test-2', total]]);
  });

  it('takes the rest of an organisation away when it is started again; from the first moment on nobody opens its credentials', async () => {
    const [organisationId, integrationId] = [randomUUID(), randomUUID()];
    const vault = vaultOf(database.databases, first);
    await owner.query(`insert into organisations (id, name) values ($1, 'leaves')`, [organisationId]);
    const sealed = await vault.seal('{"client_secret":"x"}', placeOfCredentials(organisationId, integrationId));
    await owner.query(`insert into integrations (organisation_id, id, provider, name, credentials) values ($1, $2, 'salesforce', 'CRM', $3)`, [organisationId, integrationId, sealed]);
    // Whether they are found by their ids or by their places, the last is the last.
    await owner.query(`insert into run_events (organisation_id, run_id, type, source, event_id, data) select $1, lpad(i::text, 32, '0')::uuid, 't', '/s', i::text, '{}' from generate_series(1, 40000) i`, [organisationId]);
    const left = async () => (await owner.query<{ events: number; organisations: number }>('select (select count(*)::int from run_events where organisation_id = $1) as events, (select count(*)::int from organisations where id = $1) as organisations', [organisationId])).rows[0];

    const killed = await holding('select from run_events where organisation_id = $1 and event_id = $2', [organisationId, '40000'], (stands) => run(['organisations', 'offboard', organisationId, '--yes-delete', organisationId], first, stands()));
    expect(killed).toMatchObject({ signal: 'SIGKILL', told: expect.stringMatching(/run_events: \d+ rows deleted/) });
    const between = await left();
    expect({ isPartly: (between?.events ?? 0) > 0 && (between?.events ?? 0) < 40_000, organisations: between?.organisations }).toEqual({ isPartly: true, organisations: 1 });
    await expect(vault.open(sealed, placeOfCredentials(organisationId, integrationId))).rejects.toMatchObject({ code: 'vault.data_key_destroyed' });

    const again = await run(['organisations', 'offboard', organisationId, '--yes-delete', organisationId], first, null);
    expect(again).toMatchObject({ status: 0, told: expect.stringMatching(/Keys destroyed at .*Z\.[\s\S]*run_events: \d+/) });
    expect(await left()).toEqual({ events: 0, organisations: 0 });
  });

  it.each([
    [['secrets', 'rotate'], /master key[\s\S]*TRUNKLINE|Needs DATABASE_URL and the master keys/],
    [['secrets', 'status'], /which master key wraps/],
    [['secrets', 'reseal'], /new data key/],
    [['organisations', 'offboard'], /May be ended and started again[\s\S]*7 days/],
  ])('says in its help what it does: %j', async (words, says) => {
    expect(await run([...words, '--help'], first, null)).toMatchObject({ status: 0, told: expect.stringMatching(says) });
  });
});
