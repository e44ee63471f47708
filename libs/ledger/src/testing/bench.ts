import { randomUUID } from 'node:crypto';
import type { ActionFacts, Finding, Json, PlannedStep, StepOutcome } from '@trunkline/chain';
import { commandTopicOf, decodeCommand, digestOf, encodeEvent, encodeResult, eventTopicOf, isBuiltInEventType, runIdOf, type AcceptedEvent, type Command, type StepResult } from '@trunkline/contracts';
import type { EventLog, LogRecord, PartitionLag, StoredRecord } from '@trunkline/event-log';
import { openTestDatabase, type TestDatabase } from '@trunkline/storage/testing';
import type { Client } from 'pg';
import { createLedgerVerbs } from '../verbs/ledger-verbs.js';
import type { LedgerVerbs } from '../verbs/verbs.js';
import { createLedger, type Ledger, type LedgerOptions } from '../ledger.js';
import type { CompileChain } from '../plan/compile.js';

export interface BenchOptions {
  readonly facts?: Readonly<Record<string, ActionFacts>>;
}

/** A ledger on a real database, with its records dealt by hand: events and answers go in, commands are collected. */
export interface Bench {
  readonly database: TestDatabase;
  readonly owner: Client;
  readonly organisationId: string;
  readonly commands: Command[];
  readonly lags: PartitionLag[];
  integration(settings?: Record<string, unknown>): Promise<string>;
  chain(eventType: string, steps: readonly PlannedStep[], validFrom?: Date): Promise<void>;
  ledger(options?: Partial<LedgerOptions>): Ledger;
  event(type: string, id: string, data?: Json, subject?: string | null): AcceptedEvent;
  record(event: AcceptedEvent, appendedAtMs?: number): StoredRecord;
  answer(command: Command, outcome: StepOutcome, call?: StepResult['call'], integrationVersion?: number): StoredRecord;
  finding(command: Command, finding: Finding, lookedUpAtMs: number): StoredRecord;
  raw(topic: string, record: Partial<StoredRecord>): StoredRecord;
  /** Commands sent since the last time this was asked. */
  sent(): Promise<Command[]>;
  /** Answers everything with `ok` until nothing more is sent. */
  work(ledgers: readonly Ledger[], outcomeOf?: (command: Command) => StepOutcome): Promise<Command[]>;
  query<T extends object = Record<string, unknown>>(text: string, values?: unknown[]): Promise<T[]>;
  runIdOf(id: string): string;
  stepsOf(id: string): Promise<Record<string, unknown>[]>;
  /** State of each step of the event's run, by step id. */
  statesOf(id: string): Promise<Record<string, unknown>>;
  stateOf(id: string): Promise<string | undefined>;
  /** Makes everything that waits for a time due, and closed gates open: time passes for the tests. */
  letTimePass(): Promise<void>;
  verbs(): LedgerVerbs;
  /** Everything but the organisation is gone. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

const source = '/bench';
/** What the built-in types ask for. */
const soundData = { conversation_id: 'c-1', reason: 'asked for', contact: { phone: '030 1' }, knowledge_base_id: 'kb-1', score: 1, threshold: 2 };

/** Paths `event.data.x` and `steps.name.y` are read, everything else stands for itself; a condition is a path that must be true. */
const readPaths: CompileChain = (steps) => ({
  prepare(stepId, event, results) {
    const step = steps.find((candidate) => candidate.id === stepId);
    if (step === undefined) return { kind: 'broken', code: 'bench.step', message: stepId };
    const read = (text: unknown): unknown => (typeof text === 'string' && /^(?:event|steps)\./.test(text) ? text.split('.').reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], { event, steps: results }) : text);
    if (step.condition !== null && read(step.condition) !== true) return { kind: 'skip', reason: 'condition' };
    return { kind: 'run', input: JSON.stringify(Object.fromEntries(Object.entries(step.input).map(([name, value]) => [name, read(value)]))) };
  },
});

export function stepOf(id: string, integrationId: string, priority: number, rest: Partial<PlannedStep> = {}): PlannedStep {
  return {
    id,
    name: id,
    integrationId,
    provider: 'bench',
    action: 'upsert',
    priority,
    condition: null,
    input: {},
    onFailure: 'stop',
    timeoutMs: 10_000,
    retry: { attempts: 3, backoffMs: 1_000, maxBackoffMs: 10_000 },
    ordering: 'none',
    reads: [],
    ...rest,
  };
}

const search = { commitWithinMs: 0, visibleAfterMs: 0 };
const benchFacts: Readonly<Record<string, ActionFacts>> = {
  upsert: { family: 'crm', repeat: 'upsert' },
  key: { family: 'crm', repeat: 'key', keyTtlMs: 3_600_000 },
  search: { family: 'crm', repeat: 'search-first', search },
  never: { family: 'crm', repeat: 'never' },
};

/** Less than a hook has. */
const settleWithinMs = 20_000;

export async function openBench({ facts = benchFacts }: BenchOptions = {}): Promise<Bench> {
  const database = await openTestDatabase();
  const owner = await database.owner();
  const organisationId = randomUUID();
  await owner.query('insert into organisations (id, name) values ($1, $2)', [organisationId, 'Bench']);
  const ledgers: Ledger[] = [];
  /** What a flush has let through goes on after its answer. */
  const settled = (graceMs: number): Promise<unknown> => Promise.all(ledgers.splice(0).map((ledger) => ledger.stop(graceMs)));
  const commands: Command[] = [];
  const lags: PartitionLag[] = [];
  const pending: Command[] = [];
  let offset = 0n;
  const stored = (topic: string, record: LogRecord, appendedAtMs = Date.now()): StoredRecord => ({ ...record, topic, partition: 0, offset: (offset += 1n), appendedAtMs });
  const eventLog: Pick<EventLog, 'append' | 'lag' | 'clockOffsetMs' | 'driver'> = {
    append: async (topic, records) => {
      if (!topic.startsWith('commands.')) throw new Error(`the ledger sent to ${topic}`);
      const decoded = records.map((record) => decodeCommand(record));
      if (topic !== commandTopicOf('crm')) throw new Error(`unexpected ${topic}`);
      commands.push(...decoded);
      pending.push(...decoded);
      return records.map(() => ({ partition: 0, offset: 0n }));
    },
    lag: async () => lags,
    driver: 'postgres',
    clockOffsetMs: () => 0,
  };
  const bench: Bench = {
    database,
    owner,
    organisationId,
    commands,
    lags,
    async integration(settings = {}) {
      const id = randomUUID();
      await owner.query(`insert into integrations (organisation_id, id, provider, name, settings) values ($1, $2, 'bench', 'bench', $3)`, [organisationId, id, settings]);
      return id;
    },
    async chain(eventType, steps, validFrom = new Date(Date.now() - 60_000)) {
      await owner.query(
        `insert into chain_versions (organisation_id, event_type, version, steps, valid_from)
          select $1, $2, coalesce(max(version), 0) + 1, $3, $4 from chain_versions where organisation_id = $1 and event_type = $2`,
        [organisationId, eventType, JSON.stringify(steps), validFrom],
      );
    },
    ledger(options = {}) {
      const ledger = createLedger({
        databases: database.databases,
        eventLog,
        catalogue: { find: (_provider, action) => facts[action] },
        compile: readPaths,
        random: () => 0.5,
        settings: { recountAfterMs: 0 },
        report: (error, act) => {
          throw new Error(`${act}: ${String(error)}`, { cause: error });
        },
        ...options,
      });
      ledgers.push(ledger);
      return ledger;
    },
    event(type, id, data = {}, subject = null) {
      const bytes = Buffer.from(JSON.stringify(isBuiltInEventType(type) && typeof data === 'object' && !Array.isArray(data) ? { ...soundData, ...data } : data));
      return { organisationId, id, source, type, subject, time: null, assistantId: null, data: bytes, digest: digestOf(type, subject, bytes), traceparent: null };
    },
    record: (event, appendedAtMs) => stored(eventTopicOf(event.type), encodeEvent(event), appendedAtMs),
    answer: (command, outcome, call = null, integrationVersion) => stored('results', encodeResult({
      schema: 1,
      organisationId: command.organisationId,
      runId: command.runId,
      stepId: command.stepId,
      dispatch: command.dispatch,
      integrationId: command.integrationId,
      answer: { kind: 'outcome', outcome },
      ...(integrationVersion === undefined ? {} : { integrationVersion }),
      call,
      worker: 'bench',
    })),
    finding: (command, finding, lookedUpAtMs) => stored('results', encodeResult({
      schema: 1,
      organisationId: command.organisationId,
      runId: command.runId,
      stepId: command.stepId,
      dispatch: command.dispatch,
      integrationId: command.integrationId,
      answer: { kind: 'finding', finding },
      call: { startedAtMs: lookedUpAtMs, durationMs: 5, httpStatus: 200, providerRequestId: 'look-up', method: 'GET', path: '/' },
      worker: 'bench',
    })),
    raw: (topic, record) => stored(topic, { key: null, value: null, headers: [], ...record }),
    async sent() {
      // Commands are sent after the flush has answered; one turn of the event loop lets them arrive.
      await new Promise((resolve) => setImmediate(resolve));
      return pending.splice(0);
    },
    async work(ledgers, outcomeOf = (command) => ({ kind: 'ok', result: { id: `${command.stepId}-made` }, externalId: `${command.stepId}-made` })) {
      const all: Command[] = [];
      for (let turn = 0; ; turn += 1) {
        let sent = await bench.sent();
        // A step that takes a recorded result makes the next one ready, which passes in a flush of its own: each round sees one further.
        for (let round = 0; round < 3 && sent.length === 0; round += 1) {
          for (const ledger of ledgers) {
            await ledger.passes.recount();
            await ledger.passes.due();
            await ledger.passes.gates();
          }
          sent = await bench.sent();
        }
        if (sent.length === 0) return all;
        all.push(...sent);
        const ledger = ledgers[turn % ledgers.length];
        await ledger?.handleBatch(sent.filter((command) => command.kind === 'execute').map((command) => bench.answer(command, outcomeOf(command))));
      }
    },
    query: async <T extends object>(text: string, values: unknown[] = []) => (await owner.query<T>(text, values)).rows,
    runIdOf: (id) => runIdOf(organisationId, source, id),
    async stepsOf(id) {
      const [row] = await bench.query<{ steps: string }>('select steps from runs where run_id = $1', [bench.runIdOf(id)]);
      return row === undefined ? [] : (JSON.parse(row.steps) as Record<string, unknown>[]);
    },
    statesOf: async (id) => Object.fromEntries((await bench.stepsOf(id)).map((step) => [step['id'], step['state']])),
    stateOf: async (id) => (await bench.query<{ state: string }>('select state from runs where run_id = $1', [bench.runIdOf(id)]))[0]?.state,
    async letTimePass() {
      await owner.query(`update due_work set due_at = least(due_at, clock_timestamp()) where kind <> 'gate' and isfinite(due_at)`);
      await owner.query(`update due_work set leased_until = null`);
      await owner.query(`update gates set open_at = clock_timestamp() - interval '5 seconds' where isfinite(open_at)`);
    },
    verbs: () => createLedgerVerbs({ databases: database.databases, catalogue: { find: (_provider, action) => facts[action] }, compile: readPaths, random: () => 0.5 }),
    async clear() {
      // What is still at work must not write into what the next test begins with.
      const beganAt = performance.now();
      await settled(settleWithinMs);
      if (performance.now() - beganAt >= settleWithinMs) throw new Error(`what the test before began was still at work after ${settleWithinMs} ms`);
      await owner.query('truncate runs, run_events, attempts, dead_letters, gates, intents, subject_turns, subject_holders, due_work, dispatches, chain_versions, integrations cascade');
      commands.splice(0);
      pending.splice(0);
    },
    async close() {
      await settled(2_000);
      await database.close();
    },
  };
  return bench;
}
