import { hostname } from 'node:os';
import { CommandUnreadable, commandTopicOf, decodeCommand, type Command } from '@trunkline/contracts';
import { remainingIn, TokenCache, type Provider, type Send } from '@trunkline/connectors';
import type { Consumption, RecordOutcome, StoredRecord } from '@trunkline/event-log';
import { failpoint } from '@trunkline/failpoints';
import { createOutbound, systemClock } from '@trunkline/outbound';
import { findingResult, outcomeResult } from './answer.js';
import { Breakers } from './breakers.js';
import { Budgets } from './budgets.js';
import { Caller } from './caller.js';
import { DatabaseNow } from './database-now.js';
import { Execution, type Begun } from './execution.js';
import { Handovers } from './handovers.js';
import { HeartbeatWatch } from './heartbeat.js';
import { Integrations } from './integrations.js';
import { Intents } from './intents.js';
import { KeepAlive } from './keep-alive.js';
import { usualTuning, type WorkerOptions, type WorkerTuning } from './ports.js';
import { Results } from './results.js';
import { Settling } from './settling.js';

/** Executes the commands of one family. A per-key consumer of the event log calls `handleRecord`. */
export interface Worker {
  readonly topics: readonly string[];
  readonly group: string;
  /** As many as the largest gate lets out, so that commands waiting for one provider do not hold the others'. */
  readonly maxInFlight: number;
  orderingKey(record: StoredRecord): string;
  handleRecord(record: StoredRecord): Promise<RecordOutcome>;
  /** Before the first record. */
  start(): Promise<void>;
  /** The consumption that feeds this worker: without a recent heartbeat no call is started. */
  attach(consumption: Pick<Consumption, 'lastHeartbeatMs' | 'sessionTimeoutMs'>): void;
  /** After the consumption has stopped: waits for calls that were handed over. */
  stop(graceMs: number): Promise<void>;
}

const done: RecordOutcome = { kind: 'done' };

export function createWorker(options: WorkerOptions): Worker {
  return new FamilyWorker(options);
}

class FamilyWorker implements Worker {
  readonly topics: readonly string[];
  readonly group: string;
  readonly maxInFlight = 1_000;
  private readonly id: string;
  private readonly tuning: WorkerTuning;
  private readonly now: DatabaseNow;
  private readonly heartbeat: HeartbeatWatch;
  private readonly results: Results;
  private readonly handovers: Handovers;
  private readonly budgets: Budgets;
  private readonly breakers: Breakers;
  private readonly integrations: Integrations;
  private readonly execution: Execution;
  private readonly settling: Settling;
  private readonly keepAlive: KeepAlive;
  private readonly outbound;
  private readonly running = new Set<Promise<void>>();

  constructor(private readonly options: WorkerOptions) {
    const { family, databases, eventLog, vault, logger, metrics, clock = systemClock } = options;
    this.topics = [commandTopicOf(family)];
    this.group = `worker-${family}`;
    this.id = options.workerId ?? `${hostname()}/${process.pid}`;
    this.tuning = { ...usualTuning, ...options.tuning };
    this.now = new DatabaseNow(databases, () => clock.wallMs(), logger);
    const nowMs = this.now.nowMs;
    this.heartbeat = new HeartbeatWatch();
    this.results = new Results(eventLog, logger);
    this.handovers = new Handovers(databases, this.id);
    this.budgets = new Budgets(databases, this.id, nowMs, () => clock.monotonicMs(), logger);
    this.breakers = new Breakers(this.tuning.breaker, nowMs, metrics);
    this.outbound = options.outbound ?? createOutbound();
    const providers = new Map(options.providers.map((provider) => [provider.id, provider]));
    this.integrations = new Integrations({ databases, vault, providers: options.providers, tokens: new TokenCache(() => clock.monotonicMs()), send: (provider, integrationId) => this.sendFor(provider, integrationId), nowMs, monotonicMs: () => clock.monotonicMs(), lifeMs: this.tuning.configLifeMs, grantTuning: this.tuning.grants });
    this.keepAlive = new KeepAlive({ databases, integrations: this.integrations, providers: [...providers.keys()], everyMs: this.tuning.keepAliveMs, logger });
    const caller = new Caller({ budgets: this.budgets, breakers: this.breakers, nowMs, maxWaitMs: this.tuning.budgetWaitMs, metrics });
    this.execution = new Execution({ providers, integrations: this.integrations, intents: new Intents(databases, this.id), caller, nowMs, clock, heartbeatProblem: () => this.heartbeat.problem(), budgetWaitMs: this.tuning.budgetWaitMs });
    this.settling = new Settling({ providers, integrations: this.integrations, caller, clock });
  }

  /** Every answer tells the budget what is left, where the provider says so. */
  private sendFor({ limitHeaders }: Provider, integrationId: string): Send {
    if (limitHeaders === undefined) return (request) => this.outbound.request(request);
    return async (request) => {
      const exchange = await this.outbound.request(request);
      const left = exchange.kind === 'answered' ? remainingIn(exchange.headers, limitHeaders) : null;
      if (left !== null) this.budgets.note(integrationId, left);
      return exchange;
    };
  }

  async start(): Promise<void> {
    await this.now.start();
    this.budgets.start();
    this.keepAlive.start();
  }

  attach(consumption: Pick<Consumption, 'lastHeartbeatMs' | 'sessionTimeoutMs'>): void {
    this.heartbeat.attach(consumption);
  }

  /** Order is kept within integration and subject; unordered commands do not wait for each other. */
  orderingKey(record: StoredRecord): string {
    const header = (name: string): string | undefined => record.headers.find(([known]) => known === name)?.[1].toString('utf8');
    const subject = header('tl_ordering');
    return subject === undefined ? `${record.topic}/${record.partition}/${record.offset}` : `${header('tl_integration') ?? ''}/${subject}`;
  }

  async handleRecord(record: StoredRecord): Promise<RecordOutcome> {
    let command: Command;
    try {
      command = decodeCommand(record);
    } catch (error) {
      if (!CommandUnreadable.matches(error)) throw error;
      return { kind: 'dead-letter', code: error.code, reason: error.detail };
    }
    return command.kind === 'settle' ? this.settle(command) : this.execute(command);
  }

  /** A look-up that takes long needs no hand-over row: it changes nothing, and the ledger asks again. */
  private async settle(command: Command): Promise<RecordOutcome> {
    const running = this.settling.run(command).then((found) => this.results.send(findingResult(command, found, this.id)));
    const isDone = await this.withinHandOver(running);
    return isDone ? done : { kind: 'deferred', untilMs: this.now.nowMs() + command.deadlineMs, reason: 'look-up in flight' };
  }

  private async execute(command: Command): Promise<RecordOutcome> {
    const call = Promise.withResolvers<Begun>();
    let hasHandover = false;
    const running = this.execution.run(command, call.resolve).then(async (executed) => {
      if (executed !== null) await this.results.send(outcomeResult(command, executed, this.id));
      if (hasHandover) await this.handovers.remove(command);
    });
    // Nothing stands for a command before its call begins: until then the record itself has to, and the call's own time counts from there (§6.6).
    const begun = await Promise.race([running, call.promise]);
    if (begun === undefined || (await this.withinHandOver(running))) return done;
    const leftMs = Math.max(0, begun.deadline.leftMs());
    if (!begun.keepsIntent) {
      hasHandover = true;
      try {
        await this.handovers.write(command, leftMs);
        failpoint('worker.afterHandover');
      } catch (error) {
        this.options.logger?.warn({ err: error, runId: command.runId, stepId: command.stepId }, 'A running call could not be handed over; its partition waits for it');
        return running.then(() => done);
      }
    }
    return { kind: 'deferred', untilMs: this.now.nowMs() + leftMs, reason: 'call in flight' };
  }

  /** True when it has finished in time. What goes on afterwards is remembered; whatever stands for it (an intent, a hand-over row) covers its failure too. */
  private async withinHandOver(running: Promise<void>): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<false>((resolve) => {
      timer = setTimeout(() => resolve(false), this.tuning.handOverMs);
    });
    const isDone = await Promise.race([running.then(() => true as const), late]).finally(() => clearTimeout(timer));
    if (!isDone) {
      const tracked = running.catch((error: unknown) => this.options.logger?.warn({ err: error }, 'A call that was handed over failed; the sweeper settles its step')).finally(() => this.running.delete(tracked));
      this.running.add(tracked);
    }
    return isDone;
  }

  async stop(graceMs: number): Promise<void> {
    const endMs = performance.now() + graceMs;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, graceMs);
    });
    await Promise.race([Promise.all([...this.running, this.keepAlive.stop()]), late]);
    clearTimeout(timer);
    await this.results.stop(Math.max(0, endMs - performance.now()));
    this.now.stop();
    this.breakers.stop();
    await this.budgets.stop().catch((error: unknown) => this.options.logger?.warn({ err: error }, 'Used budgets could not be stored at the end'));
    if (this.options.outbound === undefined) await this.outbound.close();
  }
}
