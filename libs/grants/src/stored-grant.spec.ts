import { randomUUID } from 'node:crypto';
import type { TokenAnswer } from '@trunkline/connectors';
import { simulatorFor, SimulatorControl } from '@trunkline/connectors/testing';
import { inOrganisations, inTenant, openVault } from '@trunkline/storage';
import { openTestDatabase, type TestDatabase } from '@trunkline/storage/testing';
import { StoredGrant } from './stored-grant.js';
import { refreshesAt, signInAtSimulator, type SignedInIntegration } from './testing/index.js';

jest.setTimeout(60_000);

describe('a stored grant', () => {
  const organisationId = randomUUID();
  let database: TestDatabase;
  let simulator: { readonly url: string; stop(): Promise<void> };
  let control: SimulatorControl;
  const opened: SignedInIntegration[] = [];

  beforeAll(async () => {
    database = await openTestDatabase();
    await inTenant(database.databases, organisationId, (client) => client.query('insert into organisations (id, name) values ($1, $2)', [organisationId, 'Harbour City Council']));
  });
  afterAll(() => database?.close());
  beforeEach(async () => {
    simulator = await simulatorFor({ provider: 'salesforce', options: { refreshTokenRotates: true } });
    control = new SimulatorControl(simulator.url);
  });
  afterEach(async () => {
    for (const integration of opened.splice(0)) await integration.close();
    await simulator.stop();
  });

  const vaultHere = () => openVault(database.databases, { keys: [{ id: 'test', key: Buffer.alloc(32, 7) }], current: 'test' });
  async function signedIn(): Promise<SignedInIntegration> {
    const integration = await signInAtSimulator({ databases: database.databases, vault: vaultHere(), organisationId, provider: 'salesforce', settings: { instance_url: simulator.url } });
    opened.push(integration);
    return integration;
  }
  const change = ({ integrationId }: SignedInIntegration, set: string): Promise<unknown> => inTenant(database.databases, organisationId, (client) => client.query(`update grants set ${set} where integration_id = $1`, [integrationId]));
  const expire = (integration: SignedInIntegration): Promise<unknown> => change(integration, `expires_at = clock_timestamp() - interval '1 second'`);
  const row = async ({ integrationId }: SignedInIntegration): Promise<Record<string, unknown>> => (await inTenant(database.databases, organisationId, (client) => client.query<Record<string, unknown>>('select state, reason, version, unfinished, refreshing_by as holder from grants where integration_id = $1', [integrationId]))).rows[0] ?? {};
  const outcomes = async (): Promise<readonly string[]> => (await refreshesAt(simulator.url)).map(({ outcome }) => outcome);
  const valueOf = (answer: TokenAnswer): string => (answer.kind === 'token' ? answer.token.value : answer.failure.code);
  const works = async (answer: TokenAnswer): Promise<boolean> => (await fetch(`${simulator.url}/services/data/v68.0/limits`, { headers: { authorization: `Bearer ${valueOf(answer)}` } })).status === 200;
  const settings = (body: object): Promise<unknown> => fetch(`${simulator.url}/_control/settings`, { method: 'PUT', body: JSON.stringify(body) });
  const revokeGrants = (): Promise<unknown> => fetch(`${simulator.url}/_control/revoke-grants`, { method: 'POST' });
  /** Nobody's lease ends but where a test makes it: a machine that stands still for a moment is no process that died. */
  const quick = { leaseMs: 20_000, pollMs: 20, restMs: 50 };

  it('is used without a call as long as it is good', async () => {
    const integration = await signedIn();
    const answers = await Promise.all([integration.grant().obtain(null), integration.grant().obtain(null)]);
    expect([...new Set(answers.map(valueOf))]).toHaveLength(1);
    expect(await Promise.all(answers.map(works))).toEqual([true, true]);
    expect(await outcomes()).toEqual([]);
  });

  it('is refreshed once, whoever asks: those who wait read what was stored', async () => {
    const integration = await signedIn();
    await expire(integration);
    await control.fault({ match: { path: '/services/oauth2/token' }, latencyMs: 300 });
    const answers = await Promise.all(Array.from({ length: 12 }, () => integration.grant({ pollMs: 20 }).obtain(null)));
    expect([...new Set(answers.map(valueOf))]).toHaveLength(1);
    expect(answers.filter((answer) => answer.kind === 'token' && answer.isFresh === true)).toHaveLength(1);
    expect(await outcomes()).toEqual(['issued']);
    expect(await works(answers[0] as TokenAnswer)).toBe(true);
  });

  it('is refreshed for a token that the provider refused, but not when a newer one is stored', async () => {
    const integration = await signedIn();
    const first = await integration.grant().obtain(null);
    if (first.kind !== 'token') throw new Error('no token');
    const second = await integration.grant().obtain(first.token);
    expect(second).toMatchObject({ kind: 'token', isFresh: true });
    expect(await integration.grant().obtain(first.token)).toMatchObject({ kind: 'token', isFresh: false, token: { value: valueOf(second) } });
    expect(await outcomes()).toEqual(['issued']);
  });

  it('keeps what an answer does not name: the refresh token of a provider that does not replace it', async () => {
    await settings({ options: { refreshTokenRotates: false } });
    const integration = await signedIn();
    for (let round = 0; round < 3; round += 1) {
      await expire(integration);
      expect(await works(await integration.grant().obtain(null))).toBe(true);
    }
    expect(await outcomes()).toEqual(['issued', 'issued', 'issued']);
  });

  it('is used while another refreshes it, as long as it is good itself', async () => {
    const integration = await signedIn();
    await change(integration, `refreshed_at = clock_timestamp() - interval '1 hour', expires_at = clock_timestamp() + interval '30 seconds', refreshing_by = gen_random_uuid(), refreshing_until = clock_timestamp() + interval '1 minute'`);
    expect(await integration.grant(quick).obtain(null)).toMatchObject({ kind: 'token', isFresh: false });
    expect(await outcomes()).toEqual([]);
  });

  it('is parked when the provider says that it has ended, and not asked about again until somebody signs in', async () => {
    const integration = await signedIn();
    await revokeGrants();
    await expire(integration);
    expect(valueOf(await integration.grant(quick).obtain(null))).toBe('auth.grant_ended');
    expect(valueOf(await integration.grant(quick).obtain(null))).toBe('auth.grant_ended');
    expect(await outcomes()).toEqual(['invalid_grant']);
    expect(await row(integration)).toMatchObject({ state: 'reconnect', reason: 'grant_ended' });
    await integration.signInAgain();
    expect(await works(await integration.grant().obtain(null))).toBe(true);
  });

  describe('when a process dies over its refresh', () => {
    const died = `refreshing_by = gen_random_uuid(), refreshing_until = clock_timestamp() + interval '300 milliseconds'`;

    it('is taken over after the lease, by one of those who wait', async () => {
      const integration = await signedIn();
      await expire(integration);
      await change(integration, died);
      const answers = await Promise.all(Array.from({ length: 6 }, () => integration.grant(quick).obtain(null)));
      expect([...new Set(answers.map(valueOf))]).toHaveLength(1);
      expect(await outcomes()).toEqual(['issued']);
      expect(await row(integration)).toMatchObject({ version: 2, unfinished: 0, holder: null });
    });

    it('is parked with that reason when the lost answer had the new refresh token', async () => {
      const integration = await signedIn();
      await expire(integration);
      await change(integration, died);
      // The provider has replaced the refresh token; nobody has the new one.
      const refreshToken = await storedRefreshToken(integration);
      await fetch(`${simulator.url}/services/oauth2/token`, { method: 'POST', body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken, client_id: 'id', client_secret: 'secret' }) });
      const answers = await Promise.all([integration.grant(quick).obtain(null), integration.grant(quick).obtain(null)]);
      expect(answers.map(valueOf)).toEqual(['auth.refresh_lost', 'auth.refresh_lost']);
      expect(await outcomes()).toEqual(['issued', 'invalid_grant']);
    });

    it('reads again before it believes the provider: the one thought dead has stored the answer after all', async () => {
      // Stored before the other looks again; where the machine stood still for longer than that, it is given more time.
      for (const restMs of [400, 3_000, 10_000]) {
        const integration = await signedIn();
        await expire(integration);
        await change(integration, died);
        await control.fault({ match: { path: '/services/oauth2/token' }, status: 400, body: { error: 'invalid_grant' }, latencyMs: 200, times: 1 });
        const asked = integration.grant({ ...quick, restMs }).obtain(null);
        while (((await row(integration))['unfinished'] as number) === 0) await new Promise((resolve) => setTimeout(resolve, 10));
        const stored = await inTenant(database.databases, organisationId, (client) => client.query(`update grants set version = version + 1, expires_at = null, refreshing_by = null, refreshing_until = null where integration_id = $1 and state = 'connected'`, [integration.integrationId]));
        const answer = await asked;
        if (stored.rowCount === 0) continue;
        expect(answer).toMatchObject({ kind: 'token', isFresh: false });
        expect(await row(integration)).toMatchObject({ state: 'connected', version: 2 });
        return;
      }
      throw new Error('the answer was never stored in time');
    });

    it('is good again, and its gate with it, when the one thought dead stores its answer after another has parked the grant', async () => {
      const integration = await signedIn();
      await inOrganisations(database.databases, [organisationId], (client) => client.query(`insert into gates (organisation_id, integration_id, open_at, reason, changed_at) values ($1, $2, 'infinity', 'reconnect', clock_timestamp())`, [organisationId, integration.integrationId]));
      let version = 1;
      // The provider acts at once and answers late: the lease of the first runs out meanwhile. Where the machine stood still for as long as that, the first was not late at all.
      for (const latencyMs of [2_500, 15_000]) {
        await expire(integration);
        await control.fault({ match: { path: '/services/oauth2/token' }, latencyMs, times: 1 });
        const before = (await outcomes()).length;
        let isLate = true;
        const frozen = integration.grant({ ...quick, leaseMs: 200 }).obtain(null).finally(() => (isLate = false));
        while ((await outcomes()).length === before) await new Promise((resolve) => setTimeout(resolve, 10));
        const lost = valueOf(await integration.grant(quick).obtain(null));
        const parked = await row(integration);
        if (isLate) expect([lost, parked]).toEqual(['auth.refresh_lost', expect.objectContaining({ state: 'reconnect', version })]);
        expect(await works(await frozen)).toBe(true);
        version += 1;
        expect(await row(integration)).toMatchObject({ state: 'connected', version, reason: null });
        if (lost === 'auth.refresh_lost') break;
      }
      const { rows } = await inTenant(database.databases, organisationId, (client) => client.query<{ isOpen: boolean }>('select i.updated_at > g.changed_at as "isOpen" from integrations i join gates g on g.integration_id = i.id where i.id = $1', [integration.integrationId]));
      expect(rows).toEqual([{ isOpen: true }]);
    });

    it('is parked when the next one dies over it too', async () => {
      const integration = await signedIn();
      await expire(integration);
      await change(integration, `${died}, unfinished = 1`);
      expect(valueOf(await integration.grant(quick).obtain(null))).toBe('auth.refresh_unfinished');
      expect(await outcomes()).toEqual([]);
    });
  });

  describe('when the token endpoint fails', () => {
    it('is not parked, and rests a moment before anybody asks again', async () => {
      const integration = await signedIn();
      await expire(integration);
      await control.fault({ match: { path: '/services/oauth2/token' }, status: 503 });
      expect(valueOf(await integration.grant({ restMs: 60_000 }).obtain(null))).toBe('SERVER_UNAVAILABLE');
      expect(valueOf(await integration.grant().obtain(null))).toBe('auth.resting');
      await control.clear();
      await change(integration, 'refreshing_until = clock_timestamp()');
      expect(await works(await integration.grant().obtain(null))).toBe(true);
    });

    it('asks once more when an answer was lost: recovered where the refresh token is still good', async () => {
      await settings({ options: { refreshTokenRotates: false } });
      const integration = await signedIn();
      await expire(integration);
      await control.fault({ match: { path: '/services/oauth2/token' }, reset: 'after', times: 1 });
      expect(await integration.grant(quick).obtain(null)).toMatchObject({ kind: 'none', failure: { class: 'transient' } });
      await change(integration, 'refreshing_until = clock_timestamp()');
      expect(await works(await integration.grant(quick).obtain(null))).toBe(true);
    });

    it('asks once more when an answer was lost: parked where it is not', async () => {
      const integration = await signedIn();
      await expire(integration);
      await control.fault({ match: { path: '/services/oauth2/token' }, reset: 'after', times: 1 });
      expect(await integration.grant(quick).obtain(null)).toMatchObject({ kind: 'none', failure: { class: 'transient' } });
      await change(integration, 'refreshing_until = clock_timestamp()');
      expect(valueOf(await integration.grant(quick).obtain(null))).toBe('auth.refresh_lost');
      expect(await outcomes()).toEqual(['issued', 'invalid_grant']);
    });

    it('does not take wrong client credentials for the end of the grant', async () => {
      const integration = await signedIn();
      await expire(integration);
      await control.fault({ match: { path: '/services/oauth2/token' }, status: 401, times: 1 });
      expect(await integration.grant(quick).obtain(null)).toMatchObject({ kind: 'none', failure: { class: 'auth', code: 'auth.invalid_client' } });
      expect(await row(integration)).toMatchObject({ state: 'connected' });
    });
  });

  it('tells nobody what it sent, whatever the provider repeats', async () => {
    const integration = await signedIn();
    await expire(integration);
    const refreshToken = await storedRefreshToken(integration);
    await control.fault({ match: { path: '/services/oauth2/token' }, status: 400, body: { error: 'invalid_grant', error_description: `refresh_token=${refreshToken} of client_secret=${'secret'.repeat(2)} has expired` } });
    const answer = await integration.grant(quick).obtain(null);
    expect(JSON.stringify(answer)).not.toContain(refreshToken);
  });

  it('that does not open any more is an end to calls, not to the worker', async () => {
    const integration = await signedIn();
    await change(integration, `tokens = set_byte(tokens, octet_length(tokens) - 1, get_byte(tokens, octet_length(tokens) - 1) # 1)`);
    expect(await integration.grant(quick).obtain(null)).toMatchObject({ kind: 'none', failure: { class: 'auth', code: 'vault.seal_broken' } });
  });

  it('does not count as a death what never reached the provider: settings that make no address are mended, and nobody signs in again', async () => {
    const integration = await signedIn();
    await expire(integration);
    const astray = new StoredGrant({ ...integration.parts, settings: { instance_url: 'no address' }, databases: database.databases, vault: vaultHere(), tuning: quick });
    for (let asked = 0; asked < 3; asked += 1) {
      await expect(astray.obtain(null)).rejects.toThrow();
      await change(integration, 'refreshing_until = clock_timestamp()');
    }
    expect(await row(integration)).toMatchObject({ state: 'connected', unfinished: 0 });
    expect(await works(await integration.grant(quick).obtain(null))).toBe(true);
  });

  it('is used once a day, by one of those who look', async () => {
    const integration = await signedIn();
    await change(integration, `keep_alive_at = clock_timestamp()`);
    await Promise.all([integration.grant(quick).keepAlive(), integration.grant(quick).keepAlive(), integration.grant(quick).keepAlive()]);
    await integration.grant(quick).keepAlive();
    expect(await outcomes()).toEqual(['issued']);
  });

  it('does not go where a refresh says, if that is none of the provider\'s', async () => {
    const integration = await signedIn();
    await expire(integration);
    await settings({ options: { instanceUrl: 'https://evil.example' } });
    expect(await integration.grant(quick).obtain(null)).toMatchObject({ kind: 'token', token: { instanceUrl: simulator.url } });
  });

  async function storedRefreshToken({ integrationId }: SignedInIntegration): Promise<string> {
    const vault = openVault(database.databases, { keys: [{ id: 'test', key: Buffer.alloc(32, 7) }], current: 'test' });
    const { rows } = await inTenant(database.databases, organisationId, (client) => client.query<{ tokens: Buffer }>('select tokens from grants where integration_id = $1', [integrationId]));
    const sealed = await vault.open(rows[0]?.tokens ?? Buffer.alloc(0), { table: 'grants', organisationId, row: integrationId, field: 'tokens' });
    return String((JSON.parse(sealed.toString()) as { readonly answer: Record<string, unknown> }).answer['refresh_token']);
  }
});
