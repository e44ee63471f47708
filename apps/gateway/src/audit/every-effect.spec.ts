import { randomBytes } from 'node:crypto';
import { type AuditTrail, createAuditTrail, Verification } from '@trunkline/audit';
import { inOrganisations } from '@trunkline/storage';
import { MatrixWorld, type Tenant } from '../testing/matrix-world.js';
import { type Operation, operationsOf, pathOf } from '../testing/operations.js';

jest.setTimeout(180_000);

interface Entry {
  readonly seq: number;
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly outcome: string;
  readonly before: unknown;
  readonly after: unknown;
}

interface Attempt {
  readonly path?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string | undefined>>;
}

const password = 'a long enough pass phrase';

describe('the audit trail', () => {
  let world: MatrixWorld;
  let own: Tenant;
  let operations: readonly Operation[];
  let trail: AuditTrail;
  let owner: Awaited<ReturnType<MatrixWorld['signIn']>>['headers'];

  beforeAll(async () => {
    world = await MatrixWorld.start();
    own = await world.tenant('Harbour City Council', 'escalation');
    operations = await operationsOf(world);
    trail = createAuditTrail(world.gateway.database.databases);
    owner = await sessionOf(await world.newMember(own, 'owner'));
  }, 120_000);
  afterAll(() => world?.close(), 60_000);
  afterEach(() => expect(world.gateway.bugs).toEqual([]));

  const sessionOf = async (userId: string): Promise<Record<string, string>> => ({ ...(await world.signIn(userId, own.id)).headers }) as Record<string, string>;
  const entriesAfter = async (seq: number): Promise<readonly Entry[]> => (await trail.list(own.id, { afterSeq: seq, limit: 1_000 })).map(({ content, seq: number }) => ({ ...(JSON.parse(content) as Omit<Entry, 'seq'>), seq: number }));
  const head = async (): Promise<number> => (await trail.newest(own.id, { beforeSeq: null, limit: 1 }))[0]?.seq ?? 0;
  const ask = (method: string, path: string, { body, headers = {} }: Attempt) => world.gateway.send(method, path, body, { authorization: undefined, ...headers });

  /** Somebody with a password, a member of the organisation. */
  async function personWithPassword(): Promise<{ readonly id: string; readonly email: string }> {
    const email = `person-${randomBytes(4).toString('hex')}@example.org`;
    const account = await world.gateway.people.accounts.create({ email, name: 'Person', password });
    const id = account?.id ?? '';
    await inOrganisations(world.gateway.database.databases, [own.id], (client) => client.query(`insert into memberships (organisation_id, user_id, role, email, name) values ($1, $2, 'viewer', $3, 'Person')`, [own.id, id, email]));
    await world.gateway.people.accounts.belongsTo(id, own.id);
    return { id, email };
  }

  async function newRun(id: string): Promise<string> {
    const published = await ask('POST', '/api/events', { body: { specversion: '1.0', id, source: '/audit', type: own.chain, data: { conversation_id: id, reason: 'asked', score: 1, threshold: 2 } }, headers: own.admin });
    const run = (published.body['receipts'] as readonly { readonly run_id: string }[])[0]?.run_id ?? '';
    await until(async () => (await ask('GET', `/api/runs/${run}`, { headers: owner })).status === 200);
    return run;
  }

  /** How each operation is used so that it succeeds, where the row of the access matrix shows it refused. */
  const successes: Readonly<Record<string, () => Promise<Attempt>>> = {
    'POST /api/runs/{id}/steps/{step}/settle': async () => {
      const run = await newRun('settled');
      const { databases } = world.gateway.database;
      await inOrganisations(databases, [own.id], (client) => client.query(`update runs set steps = regexp_replace(steps, '"state":"ready"', '"state":"parked","reason":"unknown","dispatch":1'), rev = rev + 1 where organisation_id = $1 and run_id = $2`, [own.id, run]));
      return { path: `/api/runs/${run}/steps/summary/settle`, body: { outcome: 'done', external_id: 'x-1' }, headers: owner };
    },
    'PUT /api/chains/{eventType}': async () => {
      const chain = await ask('GET', `/api/chains/${own.chain}`, { headers: owner });
      return { body: { steps: chain.body['steps'] }, headers: { ...owner, 'if-match': chain.headers.get('etag') ?? '' } };
    },
    'PUT /api/integrations/{id}': async () => ({ body: { name: 'renamed' }, headers: { ...owner, 'if-match': (await ask('GET', `/api/integrations/${own.integration}`, { headers: owner })).headers.get('etag') ?? '' } }),
    'POST /api/session': async () => ({ body: { email: (await personWithPassword()).email, password }, headers: {} }),
    'DELETE /api/session': async () => ({ headers: await sessionOf((await personWithPassword()).id) }),
    'PUT /api/session/organisation': async () => ({ body: { organisation_id: own.id }, headers: owner }),
    'PUT /api/session/password': async () => ({ body: { current_password: password, new_password: `another ${password}` }, headers: await sessionOf((await personWithPassword()).id) }),
    'DELETE /api/session/all': async () => ({ headers: await sessionOf((await personWithPassword()).id) }),
    'DELETE /api/session/all/{id}': async () => {
      const { id } = await personWithPassword();
      return { path: `/api/session/all/${(await world.signIn(id)).session}`, headers: await sessionOf(id) };
    },
    'POST /api/setup': async () => ({ body: { token: await world.gateway.people.setup.offer(), name: 'First', email: 'first@example.org', password: `${password} of the first`, organisation_id: own.id }, headers: {} }),
    'POST /api/invitations/accept': async () => {
      const made = await ask('POST', '/api/invitations', { body: { email: `in-${randomBytes(4).toString('hex')}@example.org`, role: 'viewer' }, headers: owner });
      return { body: { token: made.body['token'], name: 'In', password }, headers: {} };
    },
  };

  /** Nothing is kept of these, and why. */
  const silent: Readonly<Record<string, string>> = {
    'POST /api/events': 'the hot path: the event itself, with its run, is the record',
    'POST /api/chains/{eventType}/check': 'changes nothing',
    'POST /api/session/openid': 'nobody is known yet; what becomes of it is an entry of the callback',
  };
  /** Success needs a provider that lets people sign in; its own spec looks at the entry. Here the refused attempt. */
  const refusedHere = new Set(['POST /api/integrations/{id}/connect/confirm', 'POST /api/integrations/{id}/disconnect']);

  it('has exactly one entry for each operation that changes something and succeeds, generated from the API description', async () => {
    const wrong: unknown[] = [];
    const changing = operations.filter(({ method }) => method !== 'GET');
    expect(Object.keys(silent).filter((name) => !changing.some((operation) => operation.name === name))).toEqual([]);
    for (const operation of changing) {
      const attempt = (await successes[operation.name]?.()) ?? { body: operation.body, headers: owner };
      const path = attempt.path ?? (await pathOf(operation, own, world));
      const before = await head();
      const { status, text } = await ask(operation.method, path, attempt);
      const entries = await entriesAfter(before);
      const route = `${operation.method} ${operation.template.replace(/\{(\w+)\}/g, ':$1')}`;
      const expected = silent[operation.name] === undefined ? 1 : 0;
      const isGood = refusedHere.has(operation.name) ? status >= 400 : status < 300 || (operation.name === 'POST /api/session/openid' && status === 404);
      const isTold = entries.every(({ subject, outcome, actor }) => subject.startsWith(route) && (outcome === 'done') === status < 300 && /^(?:user:[0-9a-f-]{36}|key:\w+)$/.test(actor));
      if (!isGood || entries.length !== expected || !isTold) wrong.push({ operation: operation.name, status, text: status >= 300 ? text : '', entries });
    }
    expect(wrong).toEqual([]);
  }, 180_000);

  it('says before and after of what operators do, without a secret', async () => {
    const since = await head();
    const operator = owner;
    const run = await newRun('cancelled');
    await ask('POST', `/api/runs/${run}/replay`, { body: { dry_run: true, new_effects: true }, headers: operator });
    await ask('POST', `/api/runs/${run}/cancel`, { headers: operator });
    await ask('POST', `/api/integrations/${own.integration}/resume`, { headers: operator });
    await ask('POST', `/api/integrations/${own.integration}/pause`, { headers: operator });
    await ask('POST', '/api/dead-letters/redrive', { body: { dry_run: true }, headers: operator });
    await ask('POST', '/api/integrations/process-queue', { headers: operator });
    expect((await entriesAfter(since)).map(({ action, before, after }) => ({ action, before, after }))).toMatchObject([
      { action: 'runs:replay', before: null, after: { dry_run: true, new_effects: true, version: 'pinned', from_step: null } },
      { action: 'runs:cancel', before: { state: 'running', steps: { summary: expect.any(String) } }, after: { state: 'cancelled', cancelled: ['summary'], possibly_written: [] } },
      { action: 'integrations:hold', before: { paused: true }, after: { paused: false } },
      { action: 'integrations:hold', before: { paused: false }, after: { paused: true } },
      { action: 'dead-letters:redrive', after: { dry_run: true, matched: expect.any(Number), force: false } },
      { action: 'integrations:process-queue', after: { counts: expect.any(Object) } },
    ]);
  });

  it('is written by the transaction that changes an integration or a chain: neither is there without the other', async () => {
    const shownNow = async () => [(await ask('GET', `/api/integrations/org/${own.id}`, { headers: owner })).text, (await ask('GET', `/api/chains/${own.chain}`, { headers: owner })).text];
    const tagOf = async (path: string): Promise<string> => (await ask('GET', path, { headers: owner })).headers.get('etag') ?? '';
    const before = [await shownNow(), await head()];
    const chain = await ask('GET', `/api/chains/${own.chain}`, { headers: owner });
    const database = await world.gateway.database.owner();
    try {
      await database.query(`create function spec_no_entry() returns trigger language plpgsql as $$ begin raise exception 'no entry today'; end $$`);
      await database.query('create trigger spec_no_entry before insert on audit_entries for each row execute function spec_no_entry()');
      const statuses = [
        await ask('POST', `/api/integrations/org/${own.id}`, { body: { provider: 'salesforce', name: 'unseen', settings: { instance_url: 'https://crm.example.org' } }, headers: owner }),
        await ask('PUT', `/api/integrations/${own.integration}`, { body: { name: 'unseen' }, headers: { ...owner, 'if-match': await tagOf(`/api/integrations/${own.integration}`) } }),
        await ask('PUT', `/api/chains/${own.chain}`, { body: { steps: chain.body['steps'] }, headers: { ...owner, 'if-match': await tagOf(`/api/chains/${own.chain}`) } }),
        // It is paused.
        await ask('POST', `/api/integrations/${own.integration}/resume`, { headers: owner }),
      ].map(({ status }) => status);
      expect(statuses).toEqual([500, 500, 500, 500]);
      const made = await world.newIntegration(own).catch(() => 'none');
      expect(made).toBe('undefined');
    } finally {
      await database.query('drop function spec_no_entry() cascade');
      await database.end();
      world.gateway.bugs.length = 0;
    }
    expect([await shownNow(), await head()]).toEqual(before);
    expect((await ask('DELETE', `/api/integrations/${await world.newIntegration(own)}`, { headers: owner })).status).toBe(204);
  });

  it('has who came in, who went, and who tried with a wrong password, in each organisation the account belongs to', async () => {
    const other = await world.gateway.identity.createOrganisation({ name: 'Elsewhere' });
    const person = await personWithPassword();
    await world.gateway.people.accounts.belongsTo(person.id, other.id);
    await inOrganisations(world.gateway.database.databases, [other.id], (client) => client.query(`insert into memberships (organisation_id, user_id, role, email, name) values ($1, $2, 'viewer', $3, 'Person')`, [other.id, person.id, person.email]));
    const since = await head();
    expect((await ask('POST', '/api/session', { body: { email: person.email, password: 'wrong' } })).status).toBe(401);
    await until(async () => (await trail.list(other.id, { afterSeq: 0, limit: 10 })).length === 1);
    const there = JSON.parse((await trail.list(other.id, { afterSeq: 0, limit: 1 }))[0]?.content ?? '{}') as unknown;
    expect(there).toMatchObject({ actor: 'stranger', action: 'session:sign-in', outcome: 'identity.sign_in_refused', subject: `POST /api/session user:${person.id}`, address: '127.0.0.1' });
    await until(async () => (await entriesAfter(since)).length === 1);
    const signedIn = await ask('POST', '/api/session', { body: { email: person.email, password } });
    const cookie = signedIn.headers.getSetCookie()[0]?.split(';')[0] ?? '';
    await ask('DELETE', '/api/session', { headers: { cookie, 'x-csrf-token': String(signedIn.body['csrf_token']) } });
    const entries = await entriesAfter(since);
    expect(entries).toMatchObject([
      { actor: 'stranger', action: 'session:sign-in', outcome: 'identity.sign_in_refused' },
      { actor: `user:${person.id}`, action: 'session:sign-in', outcome: 'done', after: { method: 'password' } },
      { actor: `user:${person.id}`, action: 'session:sign-out', outcome: 'done' },
    ]);
    expect(JSON.stringify(entries)).not.toMatch(/ts_|wrong|pass phrase/);
  });

  it('has nothing of an account that does not exist, and a session of nobody’s organisation leaves none either', async () => {
    const since = await head();
    expect((await ask('POST', '/api/session', { body: { email: 'nobody@example.org', password } })).status).toBe(401);
    const stranger = await world.signIn(await world.newStranger());
    expect((await ask('DELETE', '/api/session', { headers: stranger.headers })).status).toBe(204);
    expect((await ask('GET', '/api/runs', { headers: owner })).status).toBe(200);
    expect(await entriesAfter(since)).toEqual([]);
  });

  it('has who tried to accept an invitation with somebody’s account and not their password', async () => {
    const person = await personWithPassword();
    const made = await ask('POST', '/api/invitations', { body: { email: person.email, role: 'staff' }, headers: owner });
    const since = await head();
    expect((await ask('POST', '/api/invitations/accept', { body: { token: made.body['token'], name: 'x', password: 'guessed at random' } })).status).toBe(401);
    await until(async () => (await entriesAfter(since)).length === 1);
    expect(await entriesAfter(since)).toMatchObject([{ actor: 'stranger', action: 'invitations:accept', outcome: 'identity.sign_in_refused', subject: `POST /api/invitations/accept user:${person.id}` }]);
  });

  it('is whole after all of it', async () => {
    const verification = new Verification(own.id);
    for (const entry of await trail.list(own.id, { afterSeq: 0, limit: 10_000 })) expect(verification.next(entry)).toBeNull();
    expect(verification.end()).toMatchObject({ kind: 'whole' });
  });
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error('the condition never came true');
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
