import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { startGateway, type RunningGateway } from '@trunkline/app-gateway';
import { topics } from '@trunkline/contracts';
import { createEventLog, createPostgresDriver, type EventLog } from '@trunkline/event-log';
import { createIdentity, createPeople } from '@trunkline/identity';
import { openTestDatabase, type TestDatabase } from '@trunkline/storage/testing';
import { createLogger } from '@trunkline/telemetry';
import { parseMasterKeys } from '@trunkline/vault';
import { newMasterKeys } from '../support/council.js';
import { until } from '../support/until.js';

const requests = 10_000;
const atOnce = 48;
const tenants = 4;

interface Tenant {
  readonly id: string;
  /** Stands in everything of this organisation that can hold a text, and in nothing of another. */
  readonly mark: string;
  readonly key: string;
  readonly cookie: string;
}

interface Heard {
  readonly status: number;
  readonly text: string;
}

/** The same ids and keys everywhere: only the organisation tells the rows apart. */
const shared = { integration: randomUUID(), run: randomUUID(), deadLetter: randomUUID(), eventType: 'escalation' } as const;

/** Through the real gateway, whose pools have two connections each, so that every connection serves everybody in turn; the control plane has a pool of its own. */
describe('requests of several organisations over a pool of two connections', () => {
  let database: TestDatabase;
  let eventLog: EventLog;
  let gateway: RunningGateway;
  const all: Tenant[] = [];
  const agent = new Agent({ keepAlive: true, maxSockets: atOnce });
  const errors: string[] = [];
  let toldToComeAgain = 0;

  beforeAll(async () => {
    database = await openTestDatabase({ poolSizes: { tenant: 2, system: 2, access: 2, log: 2 } });
    const { databases } = database;
    eventLog = createEventLog(createPostgresDriver({ pool: databases.log }));
    await eventLog.ensureTopics(topics);
    const identity = createIdentity({ databases });
    const people = createPeople({ databases });
    const owner = await database.owner();
    for (let number = 0; number < tenants; number += 1) {
      const mark = `mark-of-${'abcd'[number] ?? ''}-${randomUUID().slice(0, 8)}`;
      const { id } = await identity.createOrganisation({ name: mark });
      const { apiKey } = await identity.createApiKey({ organisationId: id, name: mark, scopes: ['admin', 'read', 'publish', 'execute'] });
      const account = await people.accounts.create({ email: `${mark}@example.org`, name: mark, password: null });
      await people.accounts.belongsTo(account?.id ?? '', id);
      await owner.query(`insert into memberships (organisation_id, user_id, role, email, name) values ($1, $2, 'owner', $3, $4)`, [id, account?.id, `${mark}@example.org`, mark]);
      await owner.query(`insert into integrations (organisation_id, id, provider, name, settings) values ($1, $2, 'salesforce', $3, $4)`, [id, shared.integration, mark, JSON.stringify({ instance_url: `https://${mark}.example.org` })]);
      await owner.query(`insert into chain_versions (organisation_id, event_type, version, steps, valid_from) values ($1, $2, 1, $3, to_timestamp(0))`, [id, shared.eventType, JSON.stringify([{ id: mark, name: mark, integrationId: shared.integration, provider: 'salesforce', action: 'push_summary', priority: 1, condition: null, input: {}, onFailure: 'stop', timeoutMs: 1_000, retry: { attempts: 1, backoffMs: 1, maxBackoffMs: 1 }, ordering: 'none', reads: [] }])]);
      await owner.query(`insert into runs (organisation_id, run_id, root_run_id, root_accepted_at, event_type, digest, accepted_at, state, steps) values ($1, $2, $2, now(), $3, 'x', now(), 'done', '[]')`, [id, shared.run, shared.eventType]);
      await owner.query(`insert into run_events (organisation_id, run_id, type, source, event_id, subject, data) values ($1, $2, $3, '/shared', 'shared', $4, $5)`, [id, shared.run, shared.eventType, mark, Buffer.from(JSON.stringify({ mark }))]);
      await owner.query(`insert into dead_letters (organisation_id, id, class, code, message) values ($1, $2, 'data', 'spec.made', $3)`, [id, shared.deadLetter, Buffer.from(mark)]);
      const cookie = `trunkline_session=${await people.sessions.open(account?.id ?? '', 'openid', { address: '127.0.0.1', browser: mark }, { organisationId: id })}`;
      all.push({ id, mark, key: `Bearer ${apiKey}`, cookie });
    }
    await owner.end();
    gateway = await startGateway(
      { databaseUrl: database.url, kafkaBrokers: [], host: '127.0.0.1', port: 0, opsHost: '127.0.0.1', opsPort: 0, answerWithinMs: 30_000, outboundAllow: [], outboundPorts: [443] },
      { databases, eventLog, controlPlaneConnections: 2, masterKeys: parseMasterKeys(newMasterKeys()), logger: createLogger({ app: 'spec', level: 'error', destination: { write: (line: string) => void errors.push(line) } }) },
    );
  }, 120_000);

  afterAll(async () => {
    agent.destroy();
    await gateway?.close();
    await eventLog?.close();
    await database?.close();
  }, 60_000);

  /** As a client that comes again when it is told to: on a machine that stands still two connections may not be enough for a moment. */
  async function ask(...words: Parameters<typeof askOnce>): Promise<Heard | null> {
    for (let tries = 1; ; tries += 1) {
      const heard = await askOnce(...words);
      if (heard?.status !== 503 || tries === 50) return heard;
      toldToComeAgain += 1;
      // It says nothing of anybody's.
      if (all.some(({ id, mark }) => heard.text.includes(id) || heard.text.includes(mark))) errors.push(heard.text);
      await wait(200);
    }
  }

  function askOnce(method: string, path: string, headers: Readonly<Record<string, string>>, body?: string, isCutOff = false): Promise<Heard | null> {
    const { hostname, port } = new URL(gateway.url);
    return new Promise((resolve, reject) => {
      const sending = request({ agent, hostname, port, method, path, headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) } }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk)).on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
      });
      sending.on('error', (error) => (isCutOff ? resolve(null) : reject(error))).end(body);
      // In the middle of a transaction, more often than not.
      if (isCutOff) setTimeout(() => sending.destroy(), 2);
    });
  }

  const reading = ['/api/organisation', '/api/runs', `/api/runs/${shared.run}`, `/api/integrations/${shared.integration}`, '/api/integrations/org/{own}', `/api/chains/${shared.eventType}`, '/api/dead-letters', `/api/dead-letters/${shared.deadLetter}`, '/api/keys', '/api/people', `/api/runs?event_type=${shared.eventType}`] as const;

  /** One request of one tenant, and what is wrong with its answer. */
  async function turn(number: number): Promise<readonly string[]> {
    const tenant = all[number % tenants];
    const other = all[(number + 1) % tenants];
    if (tenant === undefined || other === undefined) throw new Error('there is no tenant');
    const headers: Record<string, string> = number % 3 === 0 ? { cookie: tenant.cookie } : { authorization: tenant.key };
    const wrongIn = (what: string, answer: Heard | null, wanted: number): readonly string[] => {
      if (answer === null) return [];
      const foreign = all.filter((each) => each !== tenant && (answer.text.includes(each.mark) || (answer.text.includes(each.id) && !what.includes(each.id))));
      const isMissing = wanted < 300 && !answer.text.includes(tenant.mark) && !answer.text.includes(tenant.id);
      return [...(answer.status === wanted ? [] : [`${what}: ${answer.status} ${answer.text.slice(0, 200)}`]), ...foreign.map(({ mark }) => `${what}: ${mark} shown to ${tenant.mark}`), ...(isMissing ? [`${what}: nothing of ${tenant.mark} in ${answer.text.slice(0, 200)}`] : [])];
    };
    if (number % 23 === 0) {
      const path = `/api/integrations/org/${other.id}`;
      return wrongIn(path, await ask('GET', path, headers), 404);
    }
    if (number % 29 === 0) {
      const event = JSON.stringify({ specversion: '1.0', id: `same-${number % 5}`, source: `/${tenant.mark}`, type: 'kb_sync', data: { knowledge_base_id: 'kb' } });
      return wrongIn('publishing', await ask('POST', '/api/events', { authorization: tenant.key }, event), 202);
    }
    if (number % 31 === 0) {
      // One key for all: it names a thing of its own organisation only.
      const body = JSON.stringify({ provider: 'salesforce', name: tenant.mark, settings: { instance_url: 'https://crm.example.org' } });
      return wrongIn('making', await ask('POST', `/api/integrations/org/${tenant.id}`, { authorization: tenant.key, 'idempotency-key': 'one-key-for-all' }, body), 201);
    }
    const path = (reading[number % reading.length] ?? '').replace('{own}', tenant.id);
    return wrongIn(path, await ask('GET', path, headers, undefined, number % 37 === 0), 200);
  }

  it(`${requests} of them, cut off and refused ones among them: no row of another organisation, and none missing`, async () => {
    const wrong: string[] = [];
    let next = 0;
    // A gateway that has not met a key asks for it within a second or says 503; afterwards it remembers.
    for (const { key } of all) await until('the key being known', async () => (await ask('GET', '/api/organisation', { authorization: key }))?.status === 200, 60_000, 1_100);
    await Promise.all(Array.from({ length: atOnce }, async () => {
      for (let number = next++; number < requests && wrong.length < 20; number = next++) wrong.push(...(await turn(number)));
    }));
    expect(wrong).toEqual([]);
    expect(errors).toEqual([]);
    expect(toldToComeAgain).toBeLessThan(requests / 10);
    const owner = await database.owner();
    const connections = async () => (await owner.query<{ role: string; connections: number }>(`select substr(application_name, 11) as role, count(*)::int as connections from pg_stat_activity where datname = current_database() and application_name in ('trunkline app_tenant', 'trunkline app_system', 'trunkline app_access') group by 1`)).rows.filter((each) => each.connections > (each.role === 'app_tenant' ? 4 : 2));
    // One that was given up may take a moment to end.
    await until('no more connections than the pools have', async () => (await connections()).length === 0);
    const made = await owner.query<{ count: number }>(`select count(*)::int as count from integrations where id <> $1`, [shared.integration]);
    await owner.end();
    // The one key made one integration for each organisation.
    expect(made.rows).toEqual([{ count: tenants }]);
  }, 600_000);
});
