import { isFinal, type Advanced, type Happening, type Plan, type Run, type StepProgress } from '@trunkline/chain';

export class Broken extends Error {
  override readonly name = 'Broken';
}

/** What must hold across every single step of the engine, whatever happens. */
export class Watch {
  private readonly held: Set<string>;
  private readonly inputs = new Map<string, string | null>();
  private isCancelled = false;

  constructor(private readonly plan: Plan) {
    this.held = new Set(plan.steps.filter((step) => step.ordering === 'subject').map((step) => step.id));
  }

  /** Called for what was written, with the row it was written over. */
  written(before: Run, happening: Happening, { run, effects }: Advanced): void {
    if (happening.kind === 'cancel') this.isCancelled = true;
    if (happening.kind === 'redrive') this.isCancelled = false;
    run.steps.forEach((step, index) => {
      const was = before.steps[index];
      if (was === undefined || was.id !== step.id) throw new Broken('the steps of a run changed');
      this.checkStep(was, step, run, happening);
    });
    for (const effect of effects) {
      if (effect.kind === 'release-subject') this.held.delete(effect.stepId);
      if (effect.kind === 'reopened' && this.orders(effect.stepId)) this.held.add(effect.stepId);
      if (effect.kind === 'dispatch') this.checkDispatch(run, effect.stepId);
    }
    for (const step of run.steps) if (this.orders(step.id) && this.held.has(step.id) === isFinal(step.state)) throw new Broken(`${step.id} is ${step.state} and ${isFinal(step.state) ? 'still holds' : 'does not hold'} its subject`);
    const isNewEnd = run.state !== before.state && run.state !== 'running' && run.state !== 'parked';
    if (isNewEnd !== effects.some((effect) => effect.kind === 'finished')) throw new Broken(`the run became ${run.state} and its end was ${isNewEnd ? 'not told' : 'told'}`);
  }

  private checkStep(was: StepProgress, step: StepProgress, run: Run, happening: Happening): void {
    if (was === step) return;
    const isLateOk = happening.kind === 'result' && happening.outcome.kind === 'ok';
    if (isFinal(was.state) && step.state !== was.state && happening.kind !== 'redrive' && !isLateOk) throw new Broken(`${step.id} was ${was.state} and became ${step.state} by ${happening.kind}`);
    if (was.state === 'done' && step.state !== 'done') throw new Broken(`${step.id} was done and became ${step.state}`);
    if (step.dispatch !== was.dispatch && step.dispatch !== was.dispatch + 1) throw new Broken(`${step.id}: dispatch ${was.dispatch} was followed by ${step.dispatch}`);
    if (happening.kind === 'result' && happening.stepId === step.id) {
      const { kind } = happening.outcome;
      // P6
      if ((kind === 'throttled' || kind === 'auth' || kind === 'expired' || kind === 'parked') && step.attempts > was.attempts) throw new Broken(`${step.id}: ${kind} used an attempt`);
    }
    if (step.state === 'deferred' && step.dueAtMs === null) throw new Broken(`${step.id} is deferred without a time`);
    if (step.state === 'unknown' && step.dueAtMs === null) throw new Broken(`${step.id} is unknown and nobody looks`);
    if ((step.state === 'parked' || step.state === 'skipped' || step.state === 'dead-lettered') && step.reason === null) throw new Broken(`${step.id} is ${step.state} without a reason`);
    if (step.state === 'waiting' && !this.hasUnfinishedBefore(run, step.id)) throw new Broken(`${step.id} waits for nothing`);
  }

  private checkDispatch(run: Run, stepId: string): void {
    const step = run.steps.find((candidate) => candidate.id === stepId);
    if (step === undefined || step.state !== 'sent') throw new Broken(`${stepId} was dispatched and is ${step?.state ?? 'gone'}`);
    // P2; a step already under way is not called back when an earlier one is redriven.
    if (step.dispatch === 1 && this.hasUnfinishedBefore(run, stepId)) throw new Broken(`${stepId} was dispatched before its predecessor ended`);
    if (this.isCancelled) throw new Broken(`${stepId} was dispatched after the run was cancelled`);
    const known = this.inputs.get(stepId);
    if (known !== undefined && known !== step.input) throw new Broken(`${stepId} was dispatched with another input`);
    this.inputs.set(stepId, step.input);
  }

  private hasUnfinishedBefore(run: Run, stepId: string): boolean {
    const priority = this.priority(stepId);
    return run.steps.some((other) => this.priority(other.id) < priority && !isFinal(other.state));
  }

  private priority(stepId: string): number {
    return this.plan.steps.find((step) => step.id === stepId)?.priority ?? 0;
  }

  private orders(stepId: string): boolean {
    return this.plan.steps.some((step) => step.id === stepId && step.ordering === 'subject');
  }
}
