import { advance, isFinal, type ActionFacts, type Effect, type Happening, type PlannedStep, type Run, type StepProgress } from '@trunkline/chain';
import type { AcceptedEvent, Command } from '@trunkline/contracts';
import type { PinnedChain } from '../plan/chain-book.js';
import type { EventView } from '../plan/compile.js';
import type { RunRow } from '../run-row.js';
import type { EventItem, Item } from './item.js';

export interface DueRow {
  readonly kind: 'gate' | 'turn' | 'wake' | 'look-up';
  /** Infinity: until somebody wakes it. */
  readonly dueAtMs: number;
  /** Leased by this process as it is written: it goes into memory once that is true. */
  readonly leasedUntilMs?: number;
}

export interface AttemptRow {
  readonly attemptId: string;
  readonly stepId: string;
  readonly dispatch: number;
  readonly integrationId: string | null;
  readonly kind: 'execute' | 'settle' | 'sweep' | 'person';
  readonly outcome: string;
  readonly isApplied: boolean;
  readonly recordedAtMs: number;
  readonly startedAtMs: number | null;
  readonly durationMs: number | null;
  readonly httpStatus: number | null;
  readonly providerRequestId: string | null;
  readonly method: string | null;
  readonly path: string | null;
  readonly code: string | null;
  readonly message: string | null;
  readonly input: string | null;
  readonly result: string | null;
  readonly worker: string | null;
}

export interface GateClosing {
  /** When the provider said so, and to which version of the integration, where the worker tells it. */
  readonly seenAtMs: number;
  readonly integrationVersion: number | null;
  readonly integrationId: string;
  readonly untilMs: number | null;
  readonly reason: 'throttled' | 'reconnect' | 'provider-down';
}

/** A command and the worker family it goes to. */
export interface OutgoingCommand {
  readonly family: string;
  readonly command: Command;
}

/** What the run's event gives to later steps and to the commands. */
export type RunEvent = Pick<AcceptedEvent, 'id' | 'source' | 'type' | 'subject' | 'time' | 'assistantId' | 'traceparent' | 'data'>;

export interface LoadedRun {
  readonly row: RunRow;
  readonly event: RunEvent;
}

interface DecisionSurroundings {
  readonly nowMs: number;
  factsOf(planned: PlannedStep): ActionFacts | undefined;
  random(): number;
}

/** One run while a flush decides what becomes of it. Nothing here is true until the run's row has taken it. */
export class Decision {
  run: Run;
  readonly items: Item[] = [];
  readonly ready = new Set<string>();
  readonly dispatched: { readonly stepId: string; readonly dispatch: number }[] = [];
  readonly settles: { readonly stepId: string; readonly dispatch: number }[] = [];
  readonly due = new Map<string, DueRow>();
  readonly noLongerDue = new Set<string>();
  readonly letters: { readonly stepId: string; readonly code: string; readonly message: string }[] = [];
  readonly closedLetters: string[] = [];
  readonly closings: GateClosing[] = [];
  readonly attempts: AttemptRow[] = [];
  readonly commands: OutgoingCommand[] = [];
  /** Ordered steps need (new) numbers on their subjects. */
  needsNumbers: boolean;
  isTouched = false;
  /** A step of it has waited for its gate or its turn. */
  hasWaited = false;
  seenAtMs = 0;
  integrationVersion: number | null = null;
  isStale = false;
  private view: EventView | undefined;
  readonly swept: { readonly integrationId: string }[] = [];

  constructor(
    readonly loaded: LoadedRun,
    readonly chain: PinnedChain,
    readonly origin: EventItem | null,
    private readonly around: DecisionSurroundings,
  ) {
    this.run = loaded.row.run;
    this.needsNumbers = origin !== null;
  }

  get isNew(): boolean {
    return this.origin !== null;
  }

  /** Whether the row must be written. */
  get isChanged(): boolean {
    return this.isNew || this.isTouched || this.run !== this.loaded.row.run;
  }

  get organisationId(): string {
    return this.loaded.row.organisationId;
  }

  get runId(): string {
    return this.loaded.row.runId;
  }

  step(stepId: string): StepProgress | undefined {
    return this.run.steps.find((step) => step.id === stepId);
  }

  planned(stepId: string): PlannedStep | undefined {
    return this.chain.plan.steps.find((step) => step.id === stepId);
  }

  isOrdered(planned: PlannedStep): boolean {
    return planned.ordering === 'subject' && this.loaded.row.subjectHash !== null;
  }

  /** Integrations on which this run still holds (or waits for) its turn. */
  orderedIntegrations(): readonly string[] {
    const open = this.run.steps.filter((step) => !isFinal(step.state)).flatMap((step) => this.planned(step.id) ?? []).filter((planned) => this.isOrdered(planned));
    return [...new Set(open.map((planned) => planned.integrationId))].sort();
  }

  /** True when the happening changed the run. */
  apply(happening: Happening): boolean {
    const before = this.run;
    const advanced = advance(this.chain.plan, before, happening, {
      nowMs: this.around.nowMs,
      random: () => this.around.random(),
      factsOf: (stepId) => this.factsOf(stepId),
      prepare: (stepId, results) => this.chain.compiled.prepare(stepId, (this.view ??= viewOf(this.loaded.event)), results, this.loaded.row.rootAcceptedAtMs),
    });
    if (advanced.isStale) this.isStale = true;
    this.run = advanced.run;
    for (const effect of advanced.effects) this.note(effect);
    return advanced.run !== before;
  }

  factsOf(stepId: string): ActionFacts | undefined {
    const planned = this.planned(stepId);
    return planned === undefined ? undefined : this.around.factsOf(planned);
  }

  private note(effect: Effect): void {
    switch (effect.kind) {
      case 'ready':
        this.ready.add(effect.stepId);
        return;
      case 'dispatch':
        this.dispatched.push(effect);
        return;
      case 'look-up':
        if (effect.dueAtMs > this.around.nowMs) this.due.set(effect.stepId, { kind: 'look-up', dueAtMs: effect.dueAtMs });
        else this.settles.push(effect);
        return;
      case 'wake':
        this.due.set(effect.stepId, { kind: 'wake', dueAtMs: effect.dueAtMs });
        return;
      case 'dead-letter':
        this.letters.push(effect);
        return;
      case 'close-dead-letter':
        this.closedLetters.push(effect.stepId);
        return;
      case 'close-gate':
        this.closings.push({ integrationId: this.planned(effect.stepId)?.integrationId ?? '', untilMs: effect.untilMs, reason: effect.reason, seenAtMs: this.seenAtMs, integrationVersion: this.integrationVersion });
        return;
      case 'reopened':
        this.needsNumbers = true;
        this.closedLetters.push(effect.stepId);
        return;
      case 'release-subject':
      case 'finished':
        // Read from the run itself once everything of the flush has been applied.
        return;
      default:
        effect satisfies never;
    }
  }
}

/** The data is parsed where an expression may read it: only when a step starts, once per flush. */
function viewOf(event: RunEvent): EventView {
  return { id: event.id, source: event.source, type: event.type, subject: event.subject, time: event.time, data: JSON.parse(event.data.toString('utf8')) };
}

export function integrationIdsOf(chain: PinnedChain): readonly string[] {
  return [...new Set(chain.plan.steps.map((step) => step.integrationId))];
}

