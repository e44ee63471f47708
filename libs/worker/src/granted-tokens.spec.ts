import { randomUUID } from 'node:crypto';
import { providers as registered } from '@trunkline/connectors';
import { simulatorFor, SimulatorControl } from '@trunkline/connectors/testing';
import { refreshesAt, signInAtSimulator, type SignedInIntegration } from '@trunkline/grants/testing';
import { inTenant, placeOfGrant } from '@trunkline/storage';
import type { Command } from '@trunkline/contracts';
import type { Worker } from './worker.js';
import { openBench, testVault, type Bench } from './testing/bench.js';

jest.setTimeout(300_000);

const withoutLimits = { limit_per_minute: 0, limit_per_day: 0, limit_concurrent: 0 };

describe('calls in the name of a person who signed in', () => {
  let bench: Bench;
  let simulator: { readonly url: string; stop(): Promise<void> };
  let control: SimulatorControl;
  let integration: SignedInIntegration;

  beforeEach(async () => {
    bench = await openBench();
    simulator = await simulatorFor({ provider: 'salesforce', options: { refreshTokenRotates: true } });
    control = new SimulatorControl(simulator.url);
    integration = await signInAtSimulator({ databases: bench.database.databases, vault: testVault(bench.database.databases), organisationId: bench.organisationId, provider: 'salesforce', settings: { instance_url: simulator.url, ...withoutLimits } });
  });
  afterEach(async () => {
    await bench?.close();
    await integration?.close();
    await simulator?.stop();
  });

  const workers = async (count: number, tuning: object = {}): Promise<readonly Worker[]> => {
    const started: Worker[] = [];
    for (let index = 0; index < count; index += 1) started.push(await bench.worker({ family: 'crm', providers: registered.filter(({ family }) => family === 'crm'), tuning: { budgetWaitMs: 30_000, ...tuning } }));
    return started;
  };
  /** The log gives all commands of an integration to one worker; after a rebalance, or a mistake, others have some too. */
  const deal = async (sent: readonly Command[], all: readonly Worker[]): Promise<void> => {
    await Promise.all(sent.map((command, index) => all[index % all.length]?.handleRecord(bench.record(command))));
  };
  const commands = (count: number, rest: Partial<Command> = {}): Command[] => Array.from({ length: count }, () => bench.command({ integrationId: integration.integrationId, provider: 'salesforce', action: 'push_summary', startBeforeMs: Date.now() + 150_000, deadlineMs: 120_000, ...rest }, { subject: 'Missed bin', job_number: 'WR-1' }));
  const change = (set: string): Promise<unknown> => inTenant(bench.database.databases, bench.organisationId, (client) => client.query(`update grants set ${set}`));
  const outcomesOf = async (sent: readonly Command[], withinMs = 150_000): Promise<Readonly<Record<string, number>>> => {
    const ids = new Set(sent.map(({ runId }) => runId));
    await bench.until('all results', () => (bench.results.filter(({ runId }) => ids.has(runId)).length >= sent.length ? true : undefined), withinMs);
    const kinds = bench.results.filter(({ runId }) => ids.has(runId)).map(({ answer }) => (answer.kind === 'outcome' ? `${answer.outcome.kind}${'code' in answer.outcome ? ` ${answer.outcome.code}` : ''}` : answer.kind));
    return Object.fromEntries([...new Set(kinds)].map((kind) => [kind, kinds.filter((one) => one === kind).length]));
  };
  const refreshes = async (): Promise<readonly string[]> => (await refreshesAt(simulator.url)).map(({ outcome }) => outcome);

  it('1,000 steps at once on three workers, with an expired token: one refresh', async () => {
    const all = await workers(3);
    await change(`expires_at = clock_timestamp() - interval '1 minute'`);
    const sent = commands(1_000);
    await deal(sent, all);
    expect(await outcomesOf(sent)).toEqual({ ok: 1_000 });
    expect(await refreshes()).toEqual(['issued']);
    expect(new Set(bench.results.map(({ worker }) => worker)).size).toBe(3);
  });

  it('1,000 steps at once on three workers, with a token that the provider no longer takes: one refresh, and every step done', async () => {
    const all = await workers(3);
    const first = commands(30);
    await deal(first, all);
    await outcomesOf(first);
    await control.expireTokens();
    const sent = commands(1_000);
    await deal(sent, all);
    expect(await outcomesOf(sent)).toEqual({ ok: 1_000 });
    expect(await refreshes()).toEqual(['issued']);
  });

  it('does not read the database for each call', async () => {
    // A call of more than 2 s is handed over, which is two statements; a machine that stands still makes all of them as long, so here none is, and no settings grow old.
    await workers(1, { handOverMs: 120_000, configLifeMs: 600_000 });
    const [first] = [commands(1)];
    await bench.send('crm', first);
    await outcomesOf(first);
    let reads = 0;
    const { system } = bench.database.databases;
    const connect = system.connect.bind(system) as (...words: unknown[]) => unknown;
    const counting = jest.spyOn(system, 'connect').mockImplementation(((...words: unknown[]) => {
      reads += 1;
      return connect(...words);
    }) as never);
    const sent = commands(200);
    await bench.send('crm', sent);
    expect(await outcomesOf(sent)).toEqual({ ok: 200 });
    counting.mockRestore();
    // Used budgets are stored once a second, whatever is called.
    expect(reads).toBeLessThan(20);
  });

  it('a grant that the person took back closes the gate with its reason; signing in again makes it good', async () => {
    await workers(1, { configLifeMs: 50 });
    await fetch(`${simulator.url}/_control/revoke-grants`, { method: 'POST' });
    const sent = commands(20);
    await bench.send('crm', sent);
    expect(await outcomesOf(sent)).toEqual({ 'auth auth.grant_ended': 20 });
    expect(await refreshes()).toEqual(['invalid_grant']);
    await integration.signInAgain();
    const again = commands(20);
    await bench.send('crm', again);
    expect(await outcomesOf(again)).toEqual({ ok: 20 });
    expect(await refreshes()).toEqual(['invalid_grant']);
  });

  it('a slow token endpoint costs the steps their time and no attempt; its answer is kept', async () => {
    const all = await workers(1);
    await change(`expires_at = clock_timestamp() - interval '1 minute'`);
    await control.fault({ match: { path: '/services/oauth2/token' }, latencyMs: 2_000, times: 1 });
    const sent = commands(10, { deadlineMs: 500 });
    // At once: one that came when the machine had stood still for the two seconds would find the token.
    await deal(sent, all);
    expect(await outcomesOf(sent)).toEqual({ 'transient auth.slow': 10 });
    expect(bench.results.every(({ call, answer }) => call === null && answer.kind === 'outcome' && answer.outcome.kind === 'transient' && answer.outcome.reached === false)).toBe(true);
    const again = commands(10);
    await bench.send('crm', again);
    expect(await outcomesOf(again)).toEqual({ ok: 10 });
    expect(await refreshes()).toEqual(['issued']);
  });

  it('what cannot be kept alive now is tried again later, and holds up nobody', async () => {
    await change(`keep_alive_at = clock_timestamp()`);
    await control.fault({ match: { path: '/services/oauth2/token' }, status: 503 });
    await workers(1, { keepAliveMs: 50 });
    const leftMs = async (): Promise<number> => Number((await inTenant(bench.database.databases, bench.organisationId, (client) => client.query<{ left: string }>('select extract(epoch from keep_alive_at - clock_timestamp()) * 1000 as left from grants'))).rows[0]?.left);
    await bench.until('the postponement', async () => ((await leftMs()) > 3_000_000 ? true : undefined));
    expect(await leftMs()).toBeLessThan(3_700_000);
  });

  it('a hundred whose settings make no address any more hold up nobody, and are told of once each', async () => {
    const vault = testVault(bench.database.databases);
    const broken = Array.from({ length: 100 }, () => randomUUID());
    const tokens = await Promise.all(broken.map((id) => vault.seal(JSON.stringify({ answer: { access_token: 'a', refresh_token: 'r' }, instanceUrl: null, places: [] }), placeOfGrant(bench.organisationId, id))));
    await inTenant(bench.database.databases, bench.organisationId, async (client) => {
      await client.query(`insert into integrations (organisation_id, id, provider, name, settings) select $1, id, 'salesforce', 'broken', '{"sign_in":"authorization_code"}' from unnest($2::uuid[]) as b(id)`, [bench.organisationId, broken]);
      await client.query(`insert into grants (organisation_id, integration_id, provider, state, connected_by, tokens) select $1, id, 'salesforce', 'connected', 'key:spec', tokens from unnest($2::uuid[], $3::bytea[]) as b(id, tokens)`, [bench.organisationId, broken, tokens]);
    });
    const makeDue = (): Promise<unknown> => change(`keep_alive_at = clock_timestamp() - interval '1 minute' where integration_id <> '${integration.integrationId}'`);
    await makeDue();
    await change(`keep_alive_at = clock_timestamp() where integration_id = '${integration.integrationId}'`);
    const told: unknown[] = [];
    await bench.worker({ family: 'crm', providers: registered.filter(({ family }) => family === 'crm'), tuning: { keepAliveMs: 50 }, logger: { warn: ({ integrationId }) => void told.push(integrationId) } });
    await bench.until('the refresh of the one behind them', async () => ((await refreshes()).length > 0 ? true : undefined), 60_000);
    const due = async (): Promise<number> => (await inTenant(bench.database.databases, bench.organisationId, (client) => client.query('select from grants where keep_alive_at <= clock_timestamp()'))).rowCount ?? 0;
    await makeDue();
    await bench.until('a second round', async () => ((await due()) === 0 ? true : undefined), 60_000);
    expect(told.toSorted()).toEqual(broken.toSorted());
  });

  it('a worker that is stopped ends the refresh it is at: cut, it would take the refresh token along', async () => {
    await change(`keep_alive_at = clock_timestamp()`);
    await control.fault({ match: { path: '/services/oauth2/token' }, latencyMs: 1_500 });
    const grant = async () => (await inTenant(bench.database.databases, bench.organisationId, (client) => client.query<{ version: number; state: string; refreshing: boolean }>('select version, state, refreshing_by is not null as refreshing from grants'))).rows[0];
    const version = (await grant())?.version ?? 0;
    const [worker] = await workers(1, { keepAliveMs: 50 });
    // Whoever stood still meanwhile finds it over.
    await bench.until('the refresh under way', async () => {
      const now = await grant();
      return now?.refreshing === true || (now?.version ?? 0) > version ? true : undefined;
    });
    await worker?.stop(30_000);
    expect(await grant()).toEqual({ version: version + 1, state: 'connected', refreshing: false });
  });

  it('is refreshed once a day without any work, by one of the workers', async () => {
    await change(`keep_alive_at = clock_timestamp()`);
    await workers(3, { keepAliveMs: 50 });
    await bench.until('the refresh', async () => ((await refreshes()).length > 0 ? true : undefined));
    const seenAtMs = performance.now();
    // Each of the three has looked several times more.
    await bench.until('later looks', () => (performance.now() - seenAtMs > 300 ? true : undefined));
    expect(await refreshes()).toEqual(['issued']);
  });
});
