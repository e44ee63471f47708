import { isHarmlessTwice, planRun, repeatOf, type ActionFacts, type Advanced, type Effect, type Finding, type Happening, type Plan, type Run, type StepOutcome, type StepProgress, type Surroundings } from '@trunkline/chain';
import { queueingMs, timeoutMs, type Case } from './chains.js';
import { Broken, Watch } from './invariants.js';
import { Provider } from './provider.js';

export type Engine = (plan: Plan, run: Run, happening: Happening, surroundings: Surroundings) => Advanced;

interface Command {
  readonly stepId: string;
  readonly dispatch: number;
  readonly startBeforeMs: number;
  readonly firstDispatchedAtMs: number;
}
interface Published {
  readonly happening: Happening;
  /** A call takes its time; its answer comes before its deadline. */
  readonly fromMs: number;
}
interface Row {
  run: Run;
  revision: number;
}

const sweepMarginMs = 5_000;

/** One run in a small world: a guarded row, two ledgers with copies of their own, a log that repeats and reorders, workers that die, providers that throttle, break and show late. */
export class World {
  nowMs = 1_000_000;
  private readonly row: Row;
  private readonly caches: [Row, Row];
  private readonly watch: Watch;
  private readonly provider = new Provider();
  private readonly intents = new Map<string, 'open' | 'void'>();
  private readonly results: Published[] = [];
  private read: Happening[] = [];
  private commands: Command[] = [];
  private readonly closed = new Map<string, number>();
  private readonly answered = new Set<string>();
  private draws = 0;

  constructor(
    private readonly given: Case,
    private readonly engine: Engine,
  ) {
    this.row = { run: planRun(given.plan, this.nowMs), revision: 1 };
    this.caches = [{ ...this.row }, { ...this.row }];
    this.watch = new Watch(given.plan);
  }

  /** Lets the choices happen, then lets everything come to rest. Throws Broken. */
  live(): void {
    this.happens({ kind: 'start' }, 0);
    for (const choice of this.given.choices) this.choose(choice);
    this.comeToRest();
    this.checkRest();
  }

  private choose(choice: number): void {
    const which = choice % 24;
    const more = Math.floor(choice / 24);
    const ledger = more % 2;
    if (which < 5) this.admitOne(ledger, more);
    else if (which < 10) this.work(more);
    else if (which < 14) this.deliverOne(ledger, more);
    else if (which < 15) this.redeliver(ledger, more);
    else if (which < 18) this.nowMs += [100, 1_000, 4_000, 9_000, 25_000][more % 5] ?? 0;
    else if (which < 20) this.wakeOne(ledger, more);
    else if (which < 21) this.sweepOne(ledger, more);
    else if (which === 21) this.happens({ kind: more % 7 === 0 ? 'cancel' : 'redrive' }, ledger);
    else if (which === 22) this.parkOne(ledger, more);
    else this.askSomebody(ledger);
  }

  /** A ledger decides on the copy it holds, writes only over the row it read, and confirms a "nothing follows" on a fresh copy. */
  private happens(happening: Happening, ledger: number): void {
    for (let tries = 0; tries < 5; tries += 1) {
      const cache = this.caches[ledger % 2] ?? this.row;
      const advanced = this.engine(this.given.plan, cache.run, happening, this.surroundings());
      const isFresh = cache.revision === this.row.revision;
      if (!isFresh) {
        Object.assign(cache, this.row);
        continue;
      }
      if (advanced.isStale === true) throw new Broken(`${happening.kind} speaks of a command that was never sent`);
      if (advanced.run === cache.run && advanced.effects.length === 0) return this.mustSettle(happening);
      this.watch.written(this.row.run, happening, advanced);
      Object.assign(this.row, { run: advanced.run, revision: this.row.revision + 1 });
      Object.assign(cache, this.row);
      this.mustSettle(happening);
      this.follow(advanced.effects);
      return;
    }
    throw new Broken('a ledger cannot get at the row');
  }

  private mustSettle(happening: Happening): void {
    if (happening.kind === 'result' && happening.outcome.kind === 'ok' && this.step(happening.stepId).state !== 'done') throw new Broken(`${happening.stepId}: ok was read and the step is ${this.step(happening.stepId).state}`);
    for (const { id } of this.given.plan.steps) if (this.provider.effects(id) > 1) throw new Broken(`${id} (${this.facts(id).repeat}): ${this.provider.effects(id)} effects`);
  }

  private follow(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'close-gate') this.closed.set(effect.stepId, effect.untilMs ?? Number.POSITIVE_INFINITY);
      if (effect.kind !== 'dispatch') continue;
      const { startBeforeMs, firstDispatchedAtMs } = this.step(effect.stepId);
      if (startBeforeMs === null || firstDispatchedAtMs === null) throw new Broken(`${effect.stepId} was dispatched without times`);
      const command = { stepId: effect.stepId, dispatch: effect.dispatch, startBeforeMs, firstDispatchedAtMs };
      // The outbox loses nothing but time, and may send twice.
      const copies = [1, 1, 2, 2, 0][this.draw() % 5] ?? 1;
      for (let copy = 0; copy < copies; copy += 1) this.commands.push(command);
    }
  }

  private admitOne(ledger: number, more: number): void {
    const open = this.row.run.steps.filter((step) => step.state === 'ready' && (this.closed.get(step.id) ?? 0) <= this.nowMs);
    const step = open[more % Math.max(open.length, 1)];
    if (step !== undefined) this.happens({ kind: 'admit', stepId: step.id, startBeforeMs: this.nowMs + queueingMs }, ledger);
  }

  /** A worker takes a command; it may die at any moment, and the record comes to another one. */
  private work(more: number): void {
    const command = this.commands[more % Math.max(this.commands.length, 1)];
    if (command === undefined) return;
    const fate = this.draw() % 12;
    if (fate !== 0) this.commands = this.commands.filter((other) => other !== command).concat(fate === 1 ? [command] : []);
    this.execute(command, fate, this.draw());
  }

  private execute(command: Command, fate: number, luck: number): void {
    const facts = this.facts(command.stepId);
    const repeat = repeatOf(facts, command);
    const keepsIntent = this.keepsIntent(command.stepId, command);
    const name = `${command.stepId}/${command.dispatch}`;
    const isLate = this.nowMs > command.startBeforeMs;
    const isHeld = !isLate && luck % 7 === 0;
    if (keepsIntent) {
      const found = this.intents.get(name);
      if (found === 'void') return;
      if (found === 'open') {
        if (!isHarmlessTwice(repeat)) this.publish(command, { kind: 'unknown', code: 'started-before', message: '' }, 0);
        return;
      }
      this.intents.set(name, isLate || isHeld ? 'void' : 'open');
    }
    if (fate === 2) return;
    if (isLate) return this.publish(command, { kind: 'expired' }, 0);
    if (isHeld) return this.publish(command, luck % 2 === 0 ? { kind: 'throttled', untilMs: this.nowMs + 2_000, code: 'budget', message: '' } : { kind: 'parked', reason: 'worker-older-than-plan' }, 0);
    this.call(command, fate, luck, isHarmlessTwice(repeat));
  }

  private call(command: Command, fate: number, luck: number, isHarmless: boolean): void {
    const facts = this.facts(command.stepId);
    const tookMs = luck % timeoutMs;
    const isCut = luck % 5 === 1;
    const refusal: StepOutcome | undefined = [
      undefined, undefined, undefined, undefined,
      { kind: 'failed', class: 'data', code: 'refused', message: '' } as const,
      { kind: 'throttled', untilMs: this.nowMs + 5_000, code: '429', message: '' } as const,
      { kind: 'auth', code: '401', message: '' } as const,
      { kind: 'transient', code: 'busy', message: '', reached: luck % 2 === 0 } as const,
    ][luck % 8];
    if (refusal === undefined && (luck % 11 !== 3 || !isCut)) {
      const commitMs = facts.search?.commitWithinMs ?? 0;
      const visibleMs = facts.search?.visibleAfterMs ?? 60_000;
      const callsEndMs = command.startBeforeMs + timeoutMs;
      // A worker that froze between its last check and the write, for less than the time between two look-ups.
      const isFrozen = isCut && luck % 3 === 0;
      const visibleAtMs = isFrozen ? callsEndMs + commitMs + visibleMs + (luck % 2_000) : this.nowMs + tookMs + (luck % (commitMs + visibleMs + 1));
      this.provider.write(command.stepId, facts, this.nowMs + tookMs, visibleAtMs);
    }
    if (fate === 3) return;
    if (isCut) return this.publish(command, isHarmless ? { kind: 'transient', code: 'cut', message: '', reached: true } : { kind: 'unknown', code: 'cut', message: '' }, tookMs);
    this.publish(command, refusal ?? { kind: 'ok', result: { id: command.stepId }, externalId: command.stepId }, tookMs);
  }

  private publish({ stepId, dispatch }: Command, outcome: StepOutcome, tookMs: number): void {
    this.results.push({ happening: { kind: 'result', stepId, dispatch, outcome }, fromMs: this.nowMs + tookMs });
  }

  private deliverOne(ledger: number, more: number): void {
    const come = this.results.filter((one) => one.fromMs <= this.nowMs);
    const one = come[more % Math.max(come.length, 1)];
    if (one === undefined) return;
    this.results.splice(this.results.indexOf(one), 1);
    this.read.push(one.happening);
    this.happens(one.happening, ledger);
  }

  /** A ledger died after its write and before its offset. */
  private redeliver(ledger: number, more: number): void {
    const again = this.read[more % Math.max(this.read.length, 1)];
    if (again === undefined) return;
    const before = this.row.run;
    this.happens(again, ledger);
    if (again.kind === 'result' && this.row.run !== before) throw new Broken(`${again.outcome.kind} of ${again.stepId}/${again.dispatch} was read twice and counted twice`);
  }

  private wakeOne(ledger: number, more: number): void {
    const due = this.row.run.steps.filter((step) => step.dueAtMs !== null && step.dueAtMs <= this.nowMs);
    const step = due[more % Math.max(due.length, 1)];
    if (step === undefined) return;
    if (step.state === 'unknown') this.lookUp(step, this.draw());
    else this.happens({ kind: 'due', stepId: step.id }, ledger);
  }

  private lookUp(step: StepProgress, luck: number): void {
    const seen = this.provider.visible(step.id, this.nowMs);
    let finding: Finding = seen === 0 ? { kind: 'none' } : seen === 1 ? { kind: 'found', result: { id: step.id }, externalId: step.id } : { kind: 'several', count: seen };
    if (luck % 6 === 0) finding = { kind: 'failed', class: luck % 4 === 0 ? 'auth' : 'throttled', code: 'busy', message: '', untilMs: this.nowMs + 3_000 };
    this.results.push({ happening: { kind: 'finding', stepId: step.id, dispatch: step.dispatch, lookedUpAtMs: this.nowMs, finding }, fromMs: this.nowMs });
  }

  private sweepOne(ledger: number, more: number): void {
    const overdue = this.row.run.steps.filter((step) => step.state === 'sent' && (step.startBeforeMs ?? 0) + timeoutMs + sweepMarginMs <= this.nowMs);
    const step = overdue[more % Math.max(overdue.length, 1)];
    // Only once `results` has been read past its time.
    if (step === undefined || this.results.some((one) => one.fromMs <= this.nowMs)) return;
    const name = `${step.id}/${step.dispatch}`;
    const keepsIntent = this.keepsIntent(step.id, step);
    const found = this.intents.get(name);
    if (keepsIntent && found === undefined) this.intents.set(name, 'void');
    this.happens({ kind: 'swept', stepId: step.id, dispatch: step.dispatch, intent: keepsIntent ? (found ?? 'void') : 'none' }, ledger);
  }

  private parkOne(ledger: number, more: number): void {
    const step = this.row.run.steps[more % this.row.run.steps.length];
    if (step !== undefined) this.happens({ kind: 'park', stepId: step.id, reason: 'provider-down' }, ledger);
  }

  /** Somebody answers truthfully what is parked, once no call can still run; reconnects; processes the queue. */
  private askSomebody(ledger: number): void {
    this.closed.clear();
    for (const step of this.row.run.steps) {
      if (step.state !== 'parked') continue;
      const isUndecided = step.reason === 'unknown' || step.reason === 'ambiguous';
      const isOver = (step.startBeforeMs ?? 0) + timeoutMs < this.nowMs;
      if (!isUndecided) this.happens({ kind: 'due', stepId: step.id }, ledger);
      else if (isOver) {
        this.answered.add(step.id);
        this.happens({ kind: 'answered-by-person', stepId: step.id, answer: this.provider.effects(step.id) > 0 ? { kind: 'done', externalId: step.id } : { kind: 'not-done' } }, ledger);
      }
    }
  }

  /** Everything is delivered, swept, woken and answered, in a fair order, until nothing more can happen. */
  private comeToRest(): void {
    for (let round = 0; round < 400; round += 1) {
      const revision = this.row.revision;
      this.closed.clear();
      while (this.results.some((one) => one.fromMs <= this.nowMs)) this.deliverOne(round, 0);
      for (const step of this.row.run.steps) if (step.state === 'ready') this.happens({ kind: 'admit', stepId: step.id, startBeforeMs: this.nowMs + queueingMs }, round);
      for (const command of this.commands.splice(0)) this.execute(command, 9, 8);
      for (const step of this.row.run.steps) {
        if (step.dueAtMs === null || step.dueAtMs > this.nowMs) continue;
        if (step.state === 'unknown') this.lookUp(step, 1);
        else this.happens({ kind: 'due', stepId: step.id }, round);
      }
      this.sweepOne(round, 0);
      this.nowMs += 1_500;
      const isWaiting = this.results.length > 0 || this.commands.length > 0 || this.row.run.steps.some((step) => step.state === 'sent' || step.dueAtMs !== null);
      if (this.row.revision === revision && !isWaiting) return;
    }
    throw new Broken(`the run does not come to rest: ${this.describe()}`);
  }

  private checkRest(): void {
    for (const step of this.row.run.steps) {
      const isExplained = step.state === 'done' || step.state === 'skipped' || step.state === 'cancelled' || step.state === 'dead-lettered' || step.state === 'parked' || (step.state === 'waiting' && this.row.run.state === 'parked');
      if (!isExplained) throw new Broken(`stuck: ${this.describe()}`);
      const effects = this.provider.effects(step.id);
      if (step.state === 'done' && effects === 0) throw new Broken(`${step.id} is done and the provider holds nothing`);
      if (step.state === 'cancelled' && effects > 0 && step.reason !== 'possibly-written') throw new Broken(`${step.id} is cancelled without a word of its effect`);
      if (effects > 1) throw new Broken(`${step.id}: ${effects} effects`);
    }
    if (this.row.run.state === 'running') throw new Broken(`the run is running and nothing runs: ${this.describe()}`);
  }

  private keepsIntent(stepId: string, times: { readonly firstDispatchedAtMs: number | null; readonly startBeforeMs: number | null }): boolean {
    const isOrdered = this.given.plan.steps.some((step) => step.id === stepId && step.ordering === 'subject');
    return isOrdered || !isHarmlessTwice(repeatOf(this.facts(stepId), times));
  }

  private surroundings(): Surroundings {
    return {
      nowMs: this.nowMs,
      prepare: (stepId, results) => (stepId === 's4' && Object.keys(results).length === 2 ? { kind: 'skip', reason: 'condition' } : { kind: 'run', input: JSON.stringify([stepId, Object.keys(results)]) }),
      factsOf: (stepId) => this.facts(stepId),
      random: () => (this.draw() % 1_000) / 1_000,
    };
  }

  private facts(stepId: string): ActionFacts {
    const facts = this.given.facts.get(stepId);
    if (facts === undefined) throw new Error(`no facts for ${stepId}`);
    return facts;
  }

  private step(stepId: string): StepProgress {
    const step = this.row.run.steps.find((candidate) => candidate.id === stepId);
    if (step === undefined) throw new Error(`no step ${stepId}`);
    return step;
  }

  /** A number that follows from the case alone. */
  private draw(): number {
    this.draws += 1;
    const { choices } = this.given;
    const base = (choices[this.draws % Math.max(choices.length, 1)] ?? 0) + this.draws * 7_919;
    return Math.imul(base ^ (base >>> 7), 2_654_435_761) >>> 8;
  }

  private describe(): string {
    return this.row.run.steps.map((step) => `${step.id} ${step.state}/${step.dispatch}${step.reason === null ? '' : ` (${step.reason})`}`).join(', ');
  }
}
