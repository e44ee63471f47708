import { randomUUID } from 'node:crypto';
import type { PlannedStep } from '@trunkline/chain';
import { commandTopicOf, decodeCommand, digestOf, encodeEvent, encodeResult, runIdOf, topics } from '@trunkline/contracts';
import { createEventLog, createPostgresDriver, type EventLog } from '@trunkline/event-log';
import { openTestDatabase, type TestDatabase } from '@trunkline/storage/testing';
import { createLogger } from '@trunkline/telemetry';
import type { Client } from 'pg';
import { startSyncLedger, type RunningSyncLedger } from './index.js';

const organisationId = randomUUID();
const integrationId = randomUUID();

function step(id: string, priority: number, input: Record<string, unknown>): PlannedStep {
  return { id, name: id, integrationId, provider: 'test', action: 'write', priority, condition: null, input, onFailure: 'stop', timeoutMs: 5_000, retry: { attempts: 3, backoffMs: 10, maxBackoffMs: 100 }, ordering: 'none', reads: [] };
}

describe('the ledger as a service', () => {
  let database: TestDatabase;
  let owner: Client;
  let log: EventLog;
  const ledgers: RunningSyncLedger[] = [];

  beforeAll(async () => {
    database = await openTestDatabase();
    owner = await database.owner();
    await owner.query(`insert into organisations (id, name) values ($1, 'Test')`, [organisationId]);
    await owner.query(`insert into integrations (organisation_id, id, provider, name) values ($1, $2, 'test', 'test')`, [organisationId, integrationId]);
    await owner.query(`insert into chain_versions (organisation_id, event_type, version, steps, valid_from) values ($1, 'escalation', 1, $2, to_timestamp(0))`, [
      organisationId,
      JSON.stringify([step('first', 10, { who: { path: 'event.data.who' } }), step('second', 20, { about: { cel: `'job ' + steps.first.id` } })]),
    ]);
    log = createEventLog(createPostgresDriver({ pool: database.databases.log }));
    await log.ensureTopics(topics);
  }, 60_000);

  afterAll(async () => {
    await Promise.all(ledgers.map((ledger) => ledger.stop(5_000)));
    await log?.close();
    await database?.close();
  }, 30_000);

  const start = async (): Promise<void> => {
    const config = { opsHost: '127.0.0.1', opsPort: 0, databaseUrl: database.url, kafkaBrokers: [], keepRunsDays: 30, keepCallsDays: 14 };
    const catalogue = { find: () => ({ family: 'crm', repeat: 'upsert' }) as const };
    ledgers.push(await startSyncLedger(config, { databases: database.databases, eventLog: log, catalogue, logger: createLogger({ app: 'test', level: 'silent' }) }));
  };

  it('takes events to their end with two ledgers in one group, answered by a worker', async () => {
    // By step: a command may come again, and then is the same.
    const inputs = new Map<string, string>();
    const changed: { readonly first: string; readonly again: string }[] = [];
    await log.consume({
      mode: 'per-key',
      group: 'responder',
      topics: [commandTopicOf('crm')],
      maxInFlight: 16,
      orderingKey: (record) => String(record.offset),
      handleRecord: async (record) => {
        const command = decodeCommand(record);
        const { organisationId: organisation, runId, stepId, dispatch, integrationId: integration } = command;
        const input = command.input.toString();
        const first = inputs.get(`${runId} ${stepId}`) ?? input;
        if (first !== input) changed.push({ first, again: input });
        inputs.set(`${runId} ${stepId}`, input);
        await log.append('results', [encodeResult({ schema: 1, organisationId: organisation, runId, stepId, dispatch, integrationId: integration, answer: { kind: 'outcome', outcome: { kind: 'ok', result: { id: `${stepId}-7` }, externalId: null } }, call: null, worker: 'responder' })]);
        return { kind: 'done' };
      },
    });
    await start();
    await start();
    const ids = Array.from({ length: 60 }, (_, index) => `event-${index}`);
    await log.append('events.escalation', ids.map((id) => {
      const data = Buffer.from(JSON.stringify({ conversation_id: id, reason: 'asked for', who: id }));
      return encodeEvent({ organisationId, id, source: '/test', type: 'escalation', subject: null, time: null, assistantId: null, data, digest: digestOf('escalation', null, data), traceparent: null });
    }));
    const done = async (): Promise<number> => (await owner.query<{ count: number }>(`select count(*)::int as count from runs where state = 'done'`)).rows[0]?.count ?? 0;
    await until(async () => (await done()) === ids.length);
    expect(changed).toEqual([]);
    expect([...inputs.values()].filter((input) => input === '{"about":"job first-7"}')).toHaveLength(60);
    expect(new Set([...inputs.values()].filter((input) => input.startsWith('{"who"')))).toEqual(new Set(ids.map((id) => `{"who":"${id}"}`)));
    expect((await owner.query('select 1 from runs where run_id = $1', [runIdOf(organisationId, '/test', 'event-7')])).rowCount).toBe(1);
  }, 120_000);

  it('waits for a database that is away instead of ending, and can be stopped meanwhile', async () => {
    const config = { opsHost: '127.0.0.1', opsPort: 0, databaseUrl: 'postgres://postgres@127.0.0.1:1/none', kafkaBrokers: [], keepRunsDays: 30, keepCallsDays: 14 };
    const waiting = await startSyncLedger(config, { logger: createLogger({ app: 'test', level: 'silent' }) });
    const answer = (await (await fetch(`${waiting.opsUrl}/readyz`)).json()) as { readonly ready: boolean; readonly missing: readonly { readonly name: string }[] };
    expect(answer).toMatchObject({ ready: false, missing: expect.arrayContaining([expect.objectContaining({ name: 'database' }), expect.objectContaining({ name: 'consumers' })]) });
    await waiting.stop(5_000);
  }, 30_000);

  it('is ready, and says what it measures', async () => {
    const url = ledgers[0]?.opsUrl ?? '';
    await until(async () => (await fetch(`${url}/readyz`)).status === 200);
    expect(await (await fetch(`${url}/metrics`)).text()).toContain('trunkline_steps{state="ready"} 0');
  }, 120_000);
});

async function until(condition: () => Promise<boolean>, withinMs = 60_000): Promise<void> {
  const end = Date.now() + withinMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`not true within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
