import { randomUUID } from 'node:crypto';
import { commandTopicOf, decodeResult, encodeCommand, resultsTopic, topics, type Command, type StepResult } from '@trunkline/contracts';
import { createEventLog, createPostgresDriver, type EventLog, type StoredRecord } from '@trunkline/event-log';
import { allowEverywhere, createOutbound } from '@trunkline/outbound';
import { openTestDatabase, type TestDatabase } from '@trunkline/storage/testing';
import { inTenant, openVault, placeOfCredentials, type Databases } from '@trunkline/storage';
import type { Vault } from '@trunkline/vault';
import { createWorker, type Worker, type WorkerOptions } from '../index.js';

export const masterKey = Buffer.alloc(32, 7);

/** A real database and event log, integrations in it, and what workers put on `results`. For specs. */
export interface Bench {
  readonly url: string;
  readonly database: TestDatabase;
  readonly eventLog: EventLog;
  readonly organisationId: string;
  readonly results: StepResult[];
  worker(options: Pick<WorkerOptions, 'family' | 'providers'> & Partial<WorkerOptions>): Promise<Worker>;
  integration(provider: string, settings: Readonly<Record<string, unknown>>, credentials?: Readonly<Record<string, unknown>>): Promise<string>;
  command(rest: Partial<Command> & Pick<Command, 'integrationId' | 'provider' | 'action'>, input?: unknown): Command;
  /** The record as a worker is given it, without a log in between. */
  record(command: Command): StoredRecord;
  send(family: string, commands: readonly Command[]): Promise<void>;
  /** Polls until the results hold what is asked for. */
  until<T>(what: string, find: () => T | undefined | Promise<T | undefined>, withinMs?: number): Promise<T>;
  resultOf(command: Command, withinMs?: number): Promise<StepResult>;
  close(): Promise<void>;
}

export const masterKeys = { keys: [{ id: 'test', key: masterKey }], current: 'test' };
export const testVault = (databases: Databases): Vault => openVault(databases, masterKeys);

export async function openBench(): Promise<Bench> {
  const database = await openTestDatabase();
  const { databases, url } = database;
  const eventLog = createEventLog(createPostgresDriver({ pool: databases.log, listenConnectionString: url }));
  await eventLog.ensureTopics([...topics, { name: commandTopicOf('fixture'), partitions: 4, retentionMs: 86_400_000 }]);
  const organisationId = randomUUID();
  await inTenant(databases, organisationId, (client) => client.query('insert into organisations (id, name) values ($1, $2)', [organisationId, 'Bench']));
  const results: StepResult[] = [];
  const reading = await eventLog.consume({
    mode: 'batch', group: `bench-${organisationId}`, topics: [resultsTopic], maxRecords: 500,
    handleBatch: (records) => {
      results.push(...records.map(({ value }) => decodeResult(value)));
      return Promise.resolve(records.map(() => ({ kind: 'done' as const })));
    },
  });
  const vault = testVault(databases);
  const workers: { readonly worker: Worker; readonly stop: () => Promise<void> }[] = [];
  let offset = 0n;

  const until: Bench['until'] = async (what, find, withinMs = 15_000) => {
    const endMs = performance.now() + withinMs;
    for (;;) {
      const found = await find();
      if (found !== undefined) return found;
      if (performance.now() > endMs) throw new Error(`${what} did not happen within ${withinMs} ms`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };

  return {
    url, database, eventLog, organisationId, results, until,
    async worker(options) {
      const worker = createWorker({ databases, eventLog, vault, workerId: `bench-${workers.length}`, outbound: createOutbound({ policy: allowEverywhere }), ...options });
      await worker.start();
      const consumption = await eventLog.consume({ mode: 'per-key', group: worker.group, topics: worker.topics, maxInFlight: worker.maxInFlight, orderingKey: (record) => worker.orderingKey(record), handleRecord: (record) => worker.handleRecord(record) });
      worker.attach(consumption);
      workers.push({ worker, stop: async () => { await consumption.stop(500); await worker.stop(500); } });
      return worker;
    },
    async integration(provider, settings, credentials = { client_id: 'id', client_secret: 'secret' }) {
      const id = randomUUID();
      const sealed = await vault.seal(JSON.stringify(credentials), placeOfCredentials(organisationId, id));
      await inTenant(databases, organisationId, (client) => client.query('insert into integrations (organisation_id, id, provider, name, settings, credentials) values ($1, $2, $3, $3, $4, $5)', [organisationId, id, provider, JSON.stringify(settings), sealed]));
      return id;
    },
    command: (rest, input = {}) => ({
      kind: 'execute', organisationId, runId: randomUUID(), stepId: 'step', dispatch: 1, effectKey: randomUUID().replaceAll('-', ''), orderingKey: null, startBeforeMs: Date.now() + 60_000, deadlineMs: 20_000,
      firstDispatchedAtMs: Date.now(), input: Buffer.from(JSON.stringify(input)), traceparent: null, ...rest,
    }),
    record: (command) => ({ topic: commandTopicOf('fixture'), partition: 0, offset: (offset += 1n), appendedAtMs: Date.now(), ...encodeCommand(command) }),
    async send(family, commands) {
      await eventLog.append(commandTopicOf(family), commands.map(encodeCommand));
    },
    resultOf: (command, withinMs) => until(`the result of ${command.action}`, () => results.find((result) => result.runId === command.runId && result.stepId === command.stepId && result.dispatch === command.dispatch), withinMs),
    async close() {
      await Promise.all(workers.map(({ stop }) => stop()));
      await reading.stop(500);
      await eventLog.close();
      await database.close();
    },
  };
}

