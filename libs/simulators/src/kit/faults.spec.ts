import { Simulation } from '../testing/simulation.js';
import type { Answer, Loose } from '../testing/simulation.js';

const save = '/Api/WS/v1/WorkRequest/Save';

let techone: Simulation;

beforeAll(async () => {
  techone = await Simulation.start({ provider: 'techone' });
});
afterEach(() => techone.control('DELETE', '/faults'));
afterAll(() => techone.end());

const write = (): Promise<Answer> => techone.ask('POST', save, { Items: [{ Description: 'Job', Userfield1Alpha: 'f' }] });
const writeFor = (signal: AbortSignal): Promise<Response> => fetch(techone.url + save, { method: 'POST', headers: { authorization: `Bearer ${techone.token}` }, body: '{"Items":[{"Description":"late"}]}', signal });
const effects = async (): Promise<number> => Number((await techone.control('GET', '/stats')).json['effects']);
const callsInHand = async (): Promise<number> => Number((await techone.control('GET', '/stats')).json['callsInHand']);
const fault = (body: unknown): Promise<Answer> => techone.control('POST', '/faults', body);

describe('faults on the control side', () => {
  it('answers a status in the provider shape, as often as asked, without doing the work', async () => {
    const before = await effects();
    await fault({ match: { operation: 'saveWorkRequest' }, status: 503, retryAfter: 7, times: 2 });
    const answers = [await write(), await write(), await write()];
    expect(answers.map(({ status }) => status)).toEqual([503, 503, 200]);
    expect(answers[0]?.headers.get('retry-after')).toBe('7');
    expect(await effects()).toBe(before + 1);
  });

  it('passes Retry-After on as it is written', async () => {
    const date = 'Sat, 21 Nov 2026 13:30:00 GMT';
    await fault({ match: { method: 'post', path: 'WorkRequest' }, status: 429, retryAfter: date, times: 1 });
    expect((await write()).headers.get('retry-after')).toBe(date);
  });

  it('can do the work and answer 500 all the same', async () => {
    const before = await effects();
    await fault({ match: { path: '/Work.+Save$/' }, status: 500, applied: true, times: 1 });
    expect((await write()).status).toBe(500);
    expect(await effects()).toBe(before + 1);
  });

  it('cuts the connection before the write, or after it', async () => {
    const before = await effects();
    await fault({ match: { operation: 'saveWorkRequest' }, reset: 'before', times: 1 });
    await expect(write()).rejects.toThrow('fetch failed');
    expect(await effects()).toBe(before);
    await fault({ match: { operation: 'saveWorkRequest' }, reset: 'after', times: 1 });
    await expect(write()).rejects.toThrow('fetch failed');
    expect(await effects()).toBe(before + 1);
    expect((await techone.journal()).length).toBe(before + 1);
  });

  it('answers half a body after the write', async () => {
    const before = await effects();
    await fault({ match: { operation: 'saveWorkRequest' }, malformed: true, times: 1 });
    const answer = await write();
    expect(answer.status).toBe(200);
    expect(() => JSON.parse(answer.text) as unknown).toThrow('JSON');
    expect(await effects()).toBe(before + 1);
  });

  it('answers a body without an end, for as long as somebody listens', async () => {
    const before = await effects();
    await fault({ match: { operation: 'saveWorkRequest' }, endless: true, times: 1 });
    const answer = await fetch(techone.url + save, { method: 'POST', headers: { authorization: `Bearer ${techone.token}`, 'content-type': 'application/json' }, body: JSON.stringify({ Items: [{ Description: 'Job', Userfield1Alpha: 'endless' }] }) });
    let bytes = 0;
    for await (const piece of answer.body ?? []) {
      bytes += (piece as Uint8Array).length;
      if (bytes > 4_000_000) break;
    }
    expect(bytes).toBeGreaterThan(4_000_000);
    expect(await effects()).toBe(before + 1);
    expect((await write()).status).toBe(200);
  });
});

describe('faults of time', () => {
  it('answers late, the write being done at once', async () => {
    const before = await effects();
    await fault({ match: { operation: 'saveWorkRequest' }, latencyMs: 10_000, times: 1 });
    const caller = new AbortController();
    const never = writeFor(caller.signal);
    await until(async () => (await effects()) === before + 1);
    // Those of the tests before it may end a moment later.
    await until(async () => (await callsInHand()) === 1);
    caller.abort();
    await expect(never).rejects.toMatchObject({ name: 'AbortError' });
    await fault({ match: { operation: 'saveWorkRequest' }, latencyMs: 300, times: 1 });
    expect((await write()).status).toBe(200);
    const written = (await techone.journal()) as unknown as readonly Loose[];
    expect(Date.now() - Date.parse(String(written.at(-1)?.['at']))).toBeGreaterThanOrEqual(290);
  });

  it('holds the answer until it is taken away, the write being done at once', async () => {
    const before = await effects();
    await fault({ match: { operation: 'saveWorkRequest' }, holds: true, times: 1 });
    let isAnswered = false;
    const held = write().finally(() => (isAnswered = true));
    await until(async () => (await effects()) === before + 1);
    expect((await write()).status).toBe(200);
    expect(isAnswered).toBe(false);
    await techone.control('DELETE', '/faults');
    expect((await held).status).toBe(200);
  });

  it('can write later than its caller waits', async () => {
    let written = false;
    // Whoever stood still for so long has the answer before he leaves; then he is in more haste the next time.
    for (const commitAfterMs of [500, 3_000, 10_000]) {
      if (written) break;
      const before = await effects();
      await fault({ match: { operation: 'saveWorkRequest' }, commitAfterMs, times: 1 });
      const caller = new AbortController();
      const hasty = writeFor(caller.signal).then(() => 'answered', (error: Error) => error.name);
      await until(async () => (await techone.control('GET', '/faults')).json['faults']?.map((one) => Number(one['used'])).at(-1) === 1);
      const wasEarly = (await effects()) === before;
      caller.abort();
      written = wasEarly && (await hasty) === 'AbortError';
      await until(async () => (await effects()) === before + 1);
    }
    expect(written).toBe(true);
    const arrived = (await techone.control('GET', '/calls')).json['calls'] as unknown as readonly Loose[];
    const effect = (await techone.journal()) as unknown as readonly Loose[];
    expect(Date.parse(String(effect.at(-1)?.['at'])) - Date.parse(String(arrived.at(-1)?.['at']))).toBeGreaterThanOrEqual(490);
  });

  it('hides writes from searches for longer', async () => {
    await fault({ match: { operation: 'runReport' }, searchLagMs: 60_000, times: 1 });
    await techone.ask('POST', save, { Items: [{ Description: 'Job', Userfield1Alpha: 'hidden' }] });
    const report = `/Api/RaaS/v1/CONNECTOR_REQUESTS?q=${encodeURIComponent('Userfield1Alpha = "hidden"')}`;
    expect((await techone.ask('GET', report)).json['TotalRecordCount']).toBe(0);
    expect((await techone.ask('GET', report)).json['TotalRecordCount']).toBe(1);
  });

  it('ends after a time on the simulator clock', async () => {
    await fault({ match: {}, status: 500, forMs: 10_000 });
    expect((await write()).status).toBe(500);
    await techone.control('POST', '/clock', { advanceMs: 10_000 });
    expect((await write()).status).toBe(200);
  });

  it('also fits the token endpoint, and any body', async () => {
    await fault({ match: { operation: 'token' }, body: { unexpected: true }, times: 1 });
    expect((await techone.askForToken()).json).toEqual({ unexpected: true });
    await fault({ match: { operation: 'token' }, html: '<h1>Maintenance</h1>', status: 503, times: 1 });
    expect((await techone.askForToken()).text).toBe('<h1>Maintenance</h1>');
    await fault({ match: { operation: 'token' }, status: 401, times: 1 });
    expect((await techone.askForToken()).json).toMatchObject({ error: 'invalid_client' });
  });

  it('lists faults with what is left of them, takes one away, and refuses what it does not know', async () => {
    const { json } = await fault({ match: {}, status: 500, times: 3 });
    await write();
    expect((await techone.control('GET', '/faults')).json).toMatchObject({ faults: [{ status: 500, used: 1, timesLeft: 2 }] });
    await techone.control('DELETE', `/faults?id=${String((json['fault'] as { readonly id?: unknown }).id)}`);
    expect((await write()).status).toBe(200);
    for (const wrong of [{ match: {}, reset: 'sometimes' }, { status: '500' }, { match: {}, sttus: 500 }, { match: { path: '/(/' }, status: 500 }, []]) {
      expect((await fault(wrong)).json).toMatchObject({ code: 'simulator.argument_wrong', fix: expect.any(String) });
    }
  });
});

describe('access and settings on the control side', () => {
  it('revokes until restored: no token is given, none is good', async () => {
    const genesys = await Simulation.start({ provider: 'genesys' });
    await genesys.control('POST', '/revoke');
    expect((await genesys.ask('GET', '/api/v2/tokens/me')).status).toBe(401);
    expect((await genesys.askForToken()).json['error']).toBe('invalid_client');
    await genesys.control('POST', '/restore');
    expect((await genesys.ask('GET', '/api/v2/tokens/me')).status).toBe(401);
    await genesys.logIn();
    expect((await genesys.ask('GET', '/api/v2/tokens/me')).status).toBe(200);
    await genesys.control('POST', '/expire-tokens');
    expect((await genesys.ask('GET', '/api/v2/tokens/me')).status).toBe(401);
    expect((await genesys.logIn()).status).toBe(200);
    await genesys.end();
  });

  it('shows calls with their operation and answer, and counts unknown routes', async () => {
    const genesys = await Simulation.start({ provider: 'genesys' });
    await genesys.ask('GET', '/api/v2/routing/queues?pageSize=1');
    await genesys.ask('PUT', '/api/v2/tokens/me');
    const calls = (await genesys.control('GET', '/calls')).json;
    expect(calls).toMatchObject({ total: 3, unknownRoutes: 2, calls: [{ operation: 'token', status: 200 }, { operation: 'unknown', path: '/api/v2/routing/queues?pageSize=1', status: 404 }, { status: 405 }] });
    expect((await genesys.control('GET', '/nonsense')).status).toBe(404);
    await genesys.end();
  });

  it('changes settings while it runs and refuses wrong ones', async () => {
    const salesforce = await Simulation.start({ provider: 'salesforce', limits: 'off' });
    expect((await salesforce.control('PUT', '/settings', { limits: '2/min' })).json).toMatchObject({ limits: { perMinute: 2 } });
    const statuses = [];
    for (let call = 0; call < 3; call += 1) statuses.push((await salesforce.ask('GET', '/services/data/v68.0/limits')).status);
    expect(statuses).toEqual([200, 200, 403]);
    for (const wrong of [{ limits: 'fast' }, { latency: 5 }, { latencyMs: -1 }, { options: { authPrefix: 'bare' } }, { options: { shortPages: 1 } }]) {
      expect((await salesforce.control('PUT', '/settings', wrong)).status).toBe(400);
    }
    expect((await salesforce.control('GET', '/records?type=Task')).json).toEqual({ Task: { total: 0, records: [] } });
    await salesforce.end();
  });
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await condition())) if (Date.now() > deadline) throw new Error('the condition did not come true in 20 s');
}
