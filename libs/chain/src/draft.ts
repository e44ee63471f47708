import type { Plan, PlannedStep } from './plan.js';
import type { Effect, Happening, Json, Run, StepProgress, Surroundings } from './run.js';
import { isFinal } from './state.js';

/** The run while one happening is worked into it; the run handed in is never touched. */
export class Draft {
  private readonly progress: StepProgress[];
  private readonly written: Effect[] = [];
  private hasChanged = false;

  constructor(
    readonly plan: Plan,
    readonly run: Run,
    readonly surroundings: Surroundings,
  ) {
    this.progress = [...run.steps];
  }

  get nowMs(): number {
    return this.surroundings.nowMs;
  }

  get steps(): readonly StepProgress[] {
    return this.progress;
  }

  get effects(): readonly Effect[] {
    return this.written;
  }

  get isChanged(): boolean {
    return this.hasChanged;
  }

  step(stepId: string): StepProgress | undefined {
    return this.progress.find((step) => step.id === stepId);
  }

  planned(stepId: string): PlannedStep {
    const planned = this.plan.steps.find((step) => step.id === stepId);
    if (planned === undefined) throw new Error(`run and plan disagree: the plan has no step ${stepId}`);
    return planned;
  }

  change(stepId: string, patch: Partial<Omit<StepProgress, 'id'>>): void {
    const index = this.progress.findIndex((step) => step.id === stepId);
    const before = this.progress[index];
    if (before === undefined) throw new Error(`the run has no step ${stepId}`);
    this.progress[index] = { ...before, ...patch };
    this.hasChanged = true;
  }

  emit(effect: Effect): void {
    this.written.push(effect);
  }

  /** Results of the done steps, by step name, as later steps read them. */
  results(): Readonly<Record<string, Json>> {
    return Object.fromEntries(this.progress.filter((step) => step.state === 'done').map((step) => [this.planned(step.id).name, step.result]));
  }

  /** P2: whether every step of a lower priority number is final. */
  isReached(stepId: string): boolean {
    const { priority } = this.planned(stepId);
    return this.progress.every((step) => this.planned(step.id).priority >= priority || isFinal(step.state));
  }
}

/** A happening of one kind, for the verb that handles it. */
export type Of<Kind extends Happening['kind']> = Extract<Happening, { readonly kind: Kind }>;
