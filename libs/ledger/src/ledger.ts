import { randomUUID } from 'node:crypto';
import type { StepState } from '@trunkline/chain';
import { configChangesTopic, deadLettersTopic, eventTopics, resultsTopic } from '@trunkline/contracts';
import type { EventLog, RecordOutcome, StoredRecord } from '@trunkline/event-log';
import type { Databases } from '@trunkline/storage';
import { measuredClock, type LedgerClock } from './clock.js';
import { ClocksApart } from './errors.js';
import type { ActionCatalogue } from './flush/catalogue.js';
import { dispatchName } from './flush/command.js';
import { FlushEngine } from './flush/engine.js';
import { FlushLoop } from './flush/flush-loop.js';
import type { Item } from './flush/item.js';
import { isUuid } from './flush/letter.js';
import { createRunCache } from './flush/run-cache.js';
import type { FlushSurroundings } from './flush/surroundings.js';
import type { Gate } from './gate/gate.js';
import { Gates } from './gate/gates.js';
import { Outbox } from './outbox.js';
import { ChainBook } from './plan/chain-book.js';
import { compileInputs } from './plan/compile-inputs.js';
import type { CompileChain } from './plan/compile.js';
import { itemOf } from './record/read.js';
import { settingsFrom, type LedgerSettings } from './settings.js';
import { leaseBacklog, readGates } from './tick/backlog.js';
import { claimDue, claimGivenUp } from './tick/due.js';
import { dispatchesAtOnce, findOverdue, forgetSwept, readOpenSteps } from './tick/sweeper.js';
import { redriveRecords } from './tick/redrive-records.js';
import { type Cleared, clearOld } from './tick/retention.js';
import { Timetable } from './tick/timetable.js';

export interface LedgerOptions {
  /** With `access`, the clearing also finds organisations that have people and no API key. */
  readonly databases: Pick<Databases, 'system'> & Partial<Pick<Databases, 'access'>>;
  readonly eventLog: Pick<EventLog, 'append' | 'lag' | 'clockOffsetMs' | 'driver'>;
  readonly catalogue: ActionCatalogue;
  readonly compile?: CompileChain;
  readonly instance?: string;
  readonly clock?: LedgerClock;
  readonly random?: () => number;
  readonly newId?: () => string;
  readonly settings?: Partial<LedgerSettings>;
  /** Something went wrong that will be tried again by itself. */
  readonly report?: (error: unknown, act: string) => void;
  readonly onFinished?: (state: string) => void;
  /** Told after each clearing. */
  readonly onCleared?: (cleared: Cleared) => void;
}

export interface Ledger {
  readonly topics: readonly string[];
  readonly group: string;
  readonly maxRecords: number;
  /** Resolves when every record is in the database (P3); rejects when none of them may be passed. */
  handleBatch(records: readonly StoredRecord[]): Promise<readonly RecordOutcome[]>;
  /** Measures the clock and begins the passes below by themselves. */
  start(): Promise<void>;
  stop(graceMs: number): Promise<void>;
  /** One pass each, as the timers make them. Each resolves when what it found is in the database. */
  readonly passes: LedgerPasses;
  figures(): LedgerFigures;
  /** For metrics: closed gates as this process sees them, steps that wait as the database has them. */
  measure(): Promise<LedgerMeasures>;
}

export interface LedgerMeasures {
  readonly gates: readonly { readonly provider: string; readonly reason: string; readonly count: number }[];
  readonly work: readonly { readonly state: StepState; readonly count: number }[];
}

export interface LedgerPasses {
  /** Deferred, woken and redriven work whose time has come. */
  due(): Promise<number>;
  /** Gates that changed, and ready steps behind open ones. */
  gates(): Promise<number>;
  /** Commands that were decided but not surely sent. */
  outbox(): Promise<number>;
  /** Commands nobody has answered in time. */
  sweep(): Promise<number>;
  /** Ended runs and calls past their keeping. */
  retention(): Promise<number>;
  /** Commands that another instance has seen answered. */
  recount(): Promise<number>;
}

export interface LedgerFigures {
  readonly gates: readonly { readonly organisationId: string; readonly integrationId: string; readonly closedBecause: string | null; readonly inFlight: number; readonly cap: number; readonly hasBacklog: boolean }[];
  readonly commandsSent: number;
  readonly clockErrorMs: number;
}

/** Memory is filled again before it is empty. */
function wantsBacklog(gate: Gate, nowMs: number): boolean {
  const isLow = gate.outside > 0 && gate.backlog.length <= gate.ahead(nowMs) / 4 && gate.room(nowMs) > gate.backlog.length;
  return isLow || gate.isUnsure;
}

const alarmingDriftMs = 250;
const cachedBytes = 64 * 1024 * 1024;

/** The part of Trunkline that decides: plans runs, advances them, and keeps every promise about what happens in between (P2, P4, P5, P8). */
export function createLedger(options: LedgerOptions): Ledger {
  const settings = settingsFrom(options.settings);
  const clock = options.clock ?? measuredClock(options.databases, options.eventLog.driver === 'postgres' ? null : () => options.eventLog.clockOffsetMs());
  const report = options.report ?? (() => undefined);
  const random = options.random ?? Math.random;
  const surroundings: FlushSurroundings = {
    databases: options.databases,
    clock,
    random,
    newId: options.newId ?? randomUUID,
    instance: options.instance ?? `ledger-${process.pid}-${randomUUID().slice(0, 8)}`,
    settings,
    catalogue: options.catalogue,
    chains: new ChainBook(options.compile ?? compileInputs),
    gates: new Gates(settings.gateCap, random, (provider, given) => options.catalogue.windowsOf?.(provider, given) ?? []),
    runs: createRunCache(settings.cachedRuns, cachedBytes),
    mayAdmit: true,
  };
  return new RunningLedger(options, surroundings, report);
}

class RunningLedger implements Ledger {
  readonly topics = [...eventTopics, resultsTopic, deadLettersTopic, configChangesTopic];
  readonly group = 'ledger';
  readonly maxRecords: number;
  readonly passes: LedgerPasses = { due: () => this.due(), gates: () => this.gatesPass(), outbox: () => this.outbox.recover(), sweep: () => this.sweep(), retention: () => this.retention(), recount: () => this.recount() };
  private readonly outbox: Outbox;
  private readonly loop: FlushLoop;
  private readonly timetable: Timetable;
  private commandsSent = 0;
  private admitted = 0;
  private feeding: Promise<void> = Promise.resolve();
  private measured: Promise<void> | null = null;

  constructor(
    private readonly options: LedgerOptions,
    private readonly around: FlushSurroundings,
    private readonly report: (error: unknown, act: string) => void,
  ) {
    this.maxRecords = around.settings.flushItems;
    this.outbox = new Outbox({ ...around, eventLog: options.eventLog, report });
    const engine = new FlushEngine(around, {
      send: (id, commands) => {
        this.commandsSent += commands.length;
        this.outbox.send(id, commands);
      },
      sentDispatches: () => this.outbox.toMark(),
      markedSent: (ids) => this.outbox.marked(ids),
      woken: () => this.timetable.hurry('due'),
      finished: (decision) => options.onFinished?.(decision.run.state),
      report,
    });
    this.loop = new FlushLoop(async (items) => {
      try {
        await engine.flush(items);
      } finally {
        for (const gate of this.around.gates.all()) gate.answering = 0;
      }
      this.feed();
    }, around.settings.flushItems, { take: (most, items) => this.admissible(most, items) });
    this.timetable = new Timetable(
      {
        due: { everyMs: around.settings.duePollMs, work: () => this.due() },
        gates: { everyMs: around.settings.gatePollMs, work: () => this.gatesPass() },
        backlog: { everyMs: around.settings.gatePollMs, work: () => this.lease() },
        outbox: { everyMs: Math.min(500, around.settings.resendAfterMs), work: () => this.outbox.recover() },
        sweep: { everyMs: around.settings.gatePollMs, work: () => this.sweep() },
        clock: { everyMs: around.settings.clockPollMs, work: () => this.measureClock() },
        retention: { everyMs: around.settings.retentionPollMs, work: () => this.retention() },
        recount: { everyMs: around.settings.gatePollMs, work: () => this.recount() },
      },
      report,
    );
  }

  async handleBatch(records: readonly StoredRecord[]): Promise<readonly RecordOutcome[]> {
    await this.ensureClock();
    const items = records.flatMap((record): Item[] => {
      if (record.topic !== configChangesTopic) return [itemOf(record, this.around.clock)];
      const organisationId = record.key?.toString('utf8') ?? '';
      if (isUuid(organisationId)) this.around.gates.forget(organisationId);
      return [];
    });
    // P3: the outcomes, and with them the offsets, come only after the commit.
    await this.loop.submit(items);
    return records.map(() => ({ kind: 'done' }));
  }

  async start(): Promise<void> {
    await this.ensureClock();
    this.timetable.start();
  }

  async stop(graceMs: number): Promise<void> {
    await Promise.race([this.finish(), new Promise<void>((resolve) => setTimeout(resolve, graceMs).unref())]);
  }

  figures(): LedgerFigures {
    const nowMs = this.around.clock.nowMs();
    return {
      gates: this.around.gates.all().map((gate) => ({ organisationId: gate.organisationId, integrationId: gate.integrationId, closedBecause: gate.closedBecause(nowMs), inFlight: gate.inFlight.size, cap: gate.cap(nowMs), hasBacklog: gate.hasBacklog })),
      commandsSent: this.commandsSent,
      clockErrorMs: this.around.clock.errorMs,
    };
  }

  async measure(): Promise<LedgerMeasures> {
    const nowMs = this.around.clock.nowMs();
    const gates = this.around.gates.all();
    const closed = Map.groupBy(gates.filter((gate) => gate.closedBecause(nowMs) !== null), (gate) => `${gate.facts?.provider ?? ''} ${gate.closedBecause(nowMs) ?? ''}`);
    const { rows } = await this.around.databases.system.query<{ kind: string; count: number }>('select kind, count(*)::int as count from due_work group by kind');
    const waiting = (...kinds: string[]): number => rows.filter((row) => kinds.includes(row.kind)).reduce((sum, row) => sum + row.count, 0);
    return {
      gates: [...closed].map(([name, group]) => ({ provider: name.slice(0, name.indexOf(' ')), reason: name.slice(name.indexOf(' ') + 1), count: group.length })),
      work: [
        { state: 'ready', count: waiting('gate', 'turn') },
        { state: 'deferred', count: waiting('wake') },
        { state: 'unknown', count: waiting('look-up') },
        { state: 'sent', count: gates.reduce((sum, gate) => sum + gate.inFlight.size, 0) },
      ],
    };
  }

  private async finish(): Promise<void> {
    await this.timetable.stop();
    await this.loop.idle();
    await this.outbox.settled();
    await this.outbox.markIdle();
  }

  private ensureClock(): Promise<void> {
    this.measured ??= this.around.clock.measure().catch((error: unknown) => {
      this.measured = null;
      throw error;
    });
    return this.measured;
  }

  private async due(): Promise<number> {
    const { databases, settings } = this.around;
    const claimed = await claimDue(databases, settings.leaseMs, settings.flushItems);
    await this.loop.submit(claimed.items);
    const givenUp = await claimGivenUp(databases, settings.flushItems);
    await this.loop.submit(givenUp);
    // Last: a log that takes nothing must not hold up work that needs none.
    await redriveRecords(databases, this.options.eventLog, claimed.letters, this.report);
    if (claimed.items.length + claimed.letters.length === settings.flushItems) this.timetable.hurry('due');
    return claimed.items.length + givenUp.length;
  }

  private async measureClock(): Promise<void> {
    await this.around.clock.measure();
    const driftMs = this.around.clock.driftMs();
    if (driftMs > alarmingDriftMs) this.report(ClocksApart.because(`${Math.round(driftMs)} ms`), 'comparing clocks');
  }

  private async retention(): Promise<number> {
    const { settings } = this.around;
    const cleared = await clearOld(this.options.databases, { runsDays: settings.keepRunsDays, callsDays: settings.keepCallsDays });
    this.options.onCleared?.(cleared);
    return cleared.runs + cleared.expired;
  }

  private async gatesPass(): Promise<number> {
    await this.ensureClock();
    await readGates(this.around.databases, this.around.gates, this.around.clock);
    return this.lease();
  }

  private async lease(): Promise<number> {
    const nowMs = this.around.clock.nowMs();
    const wanting = this.around.gates.all().filter((gate) => wantsBacklog(gate, nowMs));
    await leaseBacklog(this.around.databases, wanting, this.around.clock, this.around.settings.leaseMs);
    const before = this.admitted;
    await this.loop.letThrough();
    await this.feeding;
    return this.admitted - before;
  }

  /** After a flush: what has become free is filled from memory at once; memory is filled from the table soon. */
  private feed(): void {
    const nowMs = this.around.clock.nowMs();
    const gates = this.around.gates.all();
    if (gates.some((gate) => gate.backlog.length > 0 && gate.room(nowMs) > 0)) this.feeding = this.loop.letThrough().catch((error: unknown) => this.report(error, 'letting waiting steps through'));
    if (gates.some((gate) => wantsBacklog(gate, nowMs))) this.timetable.hurry('backlog');
  }

  /** Asked while no flush is in flight, so that room is what it seems. */
  private admissible(most: number, joining: readonly Item[]): Item[] {
    for (const item of joining) {
      if (item.kind !== 'result' || item.result.answer.kind !== 'outcome') continue;
      const gate = this.around.gates.known({ organisationId: item.organisationId, integrationId: item.result.integrationId });
      if (gate?.inFlight.has(dispatchName(item.result)) === true) gate.answering += 1;
    }
    const nowMs = this.around.clock.nowMs();
    const items: Item[] = [];
    for (const gate of this.around.gates.all()) {
      for (const { organisationId, runId, stepId } of gate.takeBacklog(nowMs, most - items.length)) items.push({ kind: 'due', due: 'gate', organisationId, runId, stepId });
    }
    this.admitted += items.length;
    return items;
  }

  private async sweep(): Promise<number> {
    const { databases, clock, settings } = this.around;
    await this.ensureClock();
    const overdue = await findOverdue(databases, this.options.eventLog, this.group, clock, settings.leaseMs);
    await this.loop.submit(overdue.items);
    await forgetSwept(databases, overdue);
    if (overdue.dispatches.length === dispatchesAtOnce) this.timetable.hurry('sweep');
    return overdue.items.length;
  }

  /** Answers that another instance took are not seen here: what has been in flight for a while is looked up (delivery §5). */
  private async recount(): Promise<number> {
    const oldMs = this.around.clock.nowMs() - this.around.settings.recountAfterMs;
    const old = this.around.gates.all().flatMap((gate) => [...gate.inFlight].filter(([, sinceMs]) => sinceMs <= oldMs).slice(0, 200).map(([name]) => ({ gate, name })));
    if (old.length === 0) return 0;
    const keys = old.map(({ gate, name }) => ({ organisationId: gate.organisationId, runId: name.slice(0, name.indexOf('/')) }));
    const open = await readOpenSteps(this.around.databases, keys);
    for (const { gate, name } of old) {
      const runId = name.slice(0, name.indexOf('/'));
      const isInFlight = open.get(`${gate.organisationId}/${runId}`)?.some((step) => step.state === 'sent' && `${runId}/${step.id}/${step.dispatch}` === name);
      if (isInFlight === true) gate.inFlight.set(name, this.around.clock.nowMs());
      else gate.answered(name, 'done', this.around.clock.nowMs());
    }
    await this.loop.letThrough();
    return old.length;
  }
}

