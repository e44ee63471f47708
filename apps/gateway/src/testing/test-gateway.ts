import { createAuditTrail } from '@trunkline/audit';
import { type EventLog, createEventLog, createPostgresDriver } from '@trunkline/event-log';
import { topics } from '@trunkline/contracts';
import { actionCatalogue } from '@trunkline/connectors';
import { type Identity, type People, createIdentity, createPeople, createRateLimiter } from '@trunkline/identity';
import type { Effect } from '../edge/effect.interceptor.js';
import { auditing } from '../audit/audit-listener.js';
import { PeopleTrail } from '../audit/people-trail.js';
import type { AccessWiring } from '../edge/access-wiring.js';
import { createLedgerVerbs } from '@trunkline/ledger';
import { openVault } from '@trunkline/storage';
import { openTestDatabase, type TestDatabase } from '@trunkline/storage/testing';
import { ControlPlane } from '../control/control-plane.js';
import { checkOver } from '../control/integrations/check-connection.js';
import { allowEverywhere, createOutbound } from '@trunkline/outbound';
import { createGatewayApplication } from '../gateway.js';
import { routesIn } from './routes.js';

export interface TestGateway {
  readonly url: string;
  readonly database: TestDatabase;
  readonly eventLog: EventLog;
  readonly organisationId: string;
  readonly apiKey: string;
  readonly identity: Identity;
  readonly people: People;
  /** What the router of the running gateway answers to. */
  readonly routes: readonly string[];
  /** What actors did, in order. */
  readonly effects: Effect[];
  /** Errors of ours that were logged; a spec expects none. */
  readonly bugs: unknown[];
  send(method: string, path: string, body?: unknown, headers?: SentHeaders): Promise<TestAnswer>;
  /** A key of the same or of another organisation. */
  newKey(scopes: readonly string[], organisationId?: string): Promise<string>;
  close(): Promise<void>;
}

/** Undefined: the header is left out, also one that would be sent otherwise. */
export type SentHeaders = Readonly<Record<string, string | undefined>>;

function present(headers: SentHeaders): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

export interface TestAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: Record<string, unknown>;
}

/** Longer than any machine stands still: what is answered when the database is late is for specs that say how late. */
const patienceMs = 20_000;
/** No spec meets the end of the window that its requests are counted in. */
const windowSeconds = 1_000_000_000;

/** The real gateway over HTTP on real PostgreSQL, with one organisation and an admin key. */
export async function startTestGateway(wishes: Partial<AccessWiring> = {}): Promise<TestGateway> {
  const database = await openTestDatabase();
  try {
    return await startOver(database, wishes);
  } catch (error) {
    await database.close();
    throw error;
  }
}

async function startOver(database: TestDatabase, wishes: Partial<AccessWiring>): Promise<TestGateway> {
  const eventLog = createEventLog(createPostgresDriver({ pool: database.databases.log }));
  await eventLog.ensureTopics(topics);
  const identity = createIdentity({ databases: database.databases, times: { waitMs: patienceMs } });
  const { id: organisationId } = await identity.createOrganisation({ name: 'Harbour City Council' });
  const newKey = async (scopes: readonly string[], owner = organisationId): Promise<string> => (await identity.createApiKey({ organisationId: owner, name: 'test', scopes })).apiKey;
  const apiKey = await newKey(['admin']);
  const bugs: unknown[] = [];
  const effects: Effect[] = [];
  const audit = createAuditTrail(database.databases);
  const people = createPeople({ databases: database.databases });
  const peopleTrail = new PeopleTrail(audit, people, (error) => bugs.push(error));
  const limiter = createRateLimiter({ databases: database.databases, times: { waitMs: patienceMs }, windowSeconds });
  const access: AccessWiring = { identity, people, openId: null, limiter, onEffect: (effect) => { effects.push(effect); return auditing(audit)(effect); }, publicUrl: null, strangerRequestsPerMinute: null, trustedProxies: [], ...wishes };
  const outbound = createOutbound({ policy: allowEverywhere });
  const plane = new ControlPlane(database.url, eventLog, (error) => bugs.push(error));
  const vault = openVault(database.databases, { keys: [{ id: 'test', key: Buffer.alloc(32, 7) }], current: 'test' });
  const application = await createGatewayApplication(
    { databases: database.databases, eventLog, access, plane, vault, audit, peopleTrail, verbs: createLedgerVerbs({ databases: database.databases, catalogue: actionCatalogue }), checkConnection: checkOver(outbound, database.databases, vault), outbound, consumerGroups: [], answerWithinMs: patienceMs, backlog: { holds: () => false } },
    (error) => bugs.push(error.cause ?? error),
  );
  await application.listen(0, '127.0.0.1');
  const url = await application.getUrl();
  return {
    url,
    database,
    eventLog,
    organisationId,
    apiKey,
    identity,
    people,
    routes: routesIn(application.getHttpAdapter().getInstance().printRoutes({ commonPrefix: false })),
    effects,
    bugs,
    newKey,
    send: (method, path, body, headers = {}) => send(url + path, method, body, { authorization: `Bearer ${apiKey}`, ...headers }),
    close: async () => {
      await application.close();
      await peopleTrail.settled();
      await plane.close();
      await outbound.close();
      await eventLog.close();
      await database.close();
    },
  };
}

async function send(url: string, method: string, body: unknown, headers: SentHeaders): Promise<TestAnswer> {
  const payload = body === undefined || typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
  const answer = await fetch(url, { method, redirect: 'manual', body: payload, headers: present({ ...(payload === undefined ? {} : { 'content-type': 'application/json' }), ...headers }) });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, text, body: (text.startsWith('{') ? JSON.parse(text) : {}) as Record<string, unknown> };
}

/** What the log holds of a topic, read by a group of its own. */
export async function recordsOf(log: EventLog, topic: string, count: number): Promise<readonly { readonly value: string; readonly headers: Readonly<Record<string, string>> }[]> {
  const found: { value: string; headers: Record<string, string> }[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const consumption = await log.consume({
    mode: 'batch',
    group: `spec-${crypto.randomUUID()}`,
    topics: [topic],
    maxRecords: 100,
    handleBatch: async (records) => {
      for (const record of records) found.push({ value: record.value?.toString('utf8') ?? '', headers: Object.fromEntries(record.headers.map(([name, value]) => [name, value.toString('utf8')])) });
      if (found.length >= count) resolve();
      return records.map(() => ({ kind: 'done' as const }));
    },
  });
  const timer = setTimeout(resolve, 25_000);
  await promise;
  clearTimeout(timer);
  await consumption.stop(0);
  return found;
}
