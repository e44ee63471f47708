import type { Council } from '../support/council.js';
import type { GatewayClient } from '../support/gateway-client.js';
import { councilEvent } from '../support/service-requests.js';
import { System } from '../support/system.js';
import { until } from '../support/until.js';

jest.setTimeout(120_000);

describe('P6: throttling is not failure', () => {
  let system: System;
  let council: Council;
  let client: GatewayClient;

  beforeAll(async () => {
    system = await System.start();
    council = await system.seed();
    client = system.client(council);
  });

  afterAll(() => system.end());

  /** `attempts` counts those that reached the provider and were not throttled: for a done step the one that succeeded. */
  const techoneSteps = async (runIds: Iterable<string>) => {
    const wanted = [...runIds];
    return (await system.reader.runs()).filter(({ runId }) => wanted.includes(runId)).flatMap(({ steps }) => steps.filter(({ id }) => id === 'techone'));
  };

  it('waits out a storm of 429 without using up attempts, and drops nothing', async () => {
    await system.providers.techone.addFault({ match: { operation: 'saveWorkRequest' }, status: 429, retryAfter: '1' });
    const runIds = await client.publishSurely(Array.from({ length: 30 }, (_, index) => councilEvent(`storm-${index}`)));
    await until('a closed gate', async () => (await system.reader.query(`select from gates where reason = 'throttled'`)).length > 0);
    await until('a gate that was tried and closed again', async () => ((await system.reader.query<{ count: number }>(`select count(*)::int as count from attempts where step_id = 'techone' and outcome = 'throttled'`))[0]?.count ?? 0) >= 3);
    await system.providers.techone.clearFaults();
    await system.untilState(runIds.values(), 'done');
    expect((await techoneSteps(runIds.values())).map(({ attempts }) => attempts)).toEqual(Array.from({ length: 30 }, () => 1));
    expect((await system.effects('techone')).filter(({ eventId }) => eventId.startsWith('storm-'))).toHaveLength(30);
    expect(await system.reader.query('select from dead_letters')).toEqual([]);
  });

  it('holds the work of a revoked credential, says reconnect, and releases it in order once somebody has reconnected', async () => {
    await system.providers.techone.control('POST', '/revoke');
    const eventIds = Array.from({ length: 12 }, (_, index) => `revoked-${String(index).padStart(2, '0')}`);
    const runIds = await client.publishSurely(eventIds.map((id) => councilEvent(id, { subject: '12 Wharf Road' })));
    await until('the gate waiting for a reconnection', async () => (await system.reader.query(`select from gates where reason = 'reconnect'`)).length > 0);
    await until('Genesys having all', async () => (await system.effects('genesys')).filter(({ eventId }) => eventId.startsWith('revoked-')).length === eventIds.length);
    // What Genesys has may not have been recorded yet.
    const held = await until('each waiting for its turn at TechOne', async () => {
      const steps = await techoneSteps(runIds.values());
      return steps.length === eventIds.length && steps.every(({ state }) => state !== 'waiting' && state !== 'sent') && steps;
    });
    expect(held.map(({ state, attempts }) => ({ state, attempts }))).toEqual(eventIds.map(() => ({ state: 'ready', attempts: 0 })));
    const [firstRun = ''] = runIds.values();
    const shown = (await client.ask('GET', `/api/runs/${firstRun}`)).json['steps']?.map((step) => step).find((step) => String(step['name']) === 'techone');
    expect(shown).toMatchObject({ state: 'ready', reason: 'reconnect' });

    await system.providers.techone.control('POST', '/restore');
    const path = `/api/integrations/${council.integrations.techone}`;
    const etag = (await client.ask('GET', path)).headers.get('etag') ?? '';
    expect((await client.ask('PUT', path, { credentials: { client_id: 'client', client_secret: 'secret' } }, { 'if-match': etag })).status).toBe(200);
    await system.untilState(runIds.values(), 'done');
    const jobs = (await system.effects('techone')).filter(({ eventId }) => eventId.startsWith('revoked-')).map(({ eventId }) => eventId);
    const planned = (await system.reader.planned()).get('12 Wharf Road');
    expect(planned).toHaveLength(eventIds.length);
    expect(jobs).toEqual(planned);
    expect((await techoneSteps(runIds.values())).map(({ attempts }) => attempts)).toEqual(eventIds.map(() => 1));
  });
});
