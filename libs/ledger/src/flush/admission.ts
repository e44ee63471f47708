import type { PlannedStep, StepProgress } from '@trunkline/chain';
import type { Gate } from '../gate/gate.js';
import type { Gates } from '../gate/gates.js';
import type { LedgerSettings } from '../settings.js';
import { commandOf, dispatchName } from './command.js';
import type { Decision } from './decision.js';
import type { Families, Recorded } from './families.js';
import type { Turns } from './turns.js';

const goneRetryMs = 60_000;
/** How often a replay asks whether the earlier run has let go of the step. */
const familyRetryMs = 2_000;
const closedLookUpMs = 5_000;
/** Where nobody can say when the gate opens. Only what was in flight is ever in doubt, so that few ask; a subject may wait behind each. */
const longestLookUpWaitMs = 30_000;

interface Reservation {
  readonly gate: Gate;
  readonly name: string;
  readonly decision: Decision;
}

/** Lets ready steps through their gates, and says where the others wait. Room is taken at once and given back for runs that were not written. */
export class Admission {
  private readonly reservations: Reservation[] = [];
  /** Steps that wait for a gate and stay in memory, by gate. */
  private readonly kept = new Map<Gate, number>();
  sweepAtMs = 0;
  /** Gates that this very flush closes: nothing passes them any more, the step that was refused least of all. */
  private readonly closing = new Set<Gate>();

  constructor(
    private readonly gates: Gates,
    private readonly settings: LedgerSettings,
    private readonly nowMs: number,
    private readonly families: Families,
    private readonly mayAdmit: boolean,
  ) {}

  close(decisions: readonly Decision[]): void {
    for (const { organisationId, closings } of decisions) for (const { integrationId } of closings) this.closing.add(this.gates.of({ organisationId, integrationId }));
  }

  admit(decision: Decision, turns: Turns): void {
    const reached = new Set(decision.ready);
    // A recorded result may make further steps ready here; whose turn it is on their subjects has not been asked, so they wait for the next flush.
    for (const stepId of decision.ready) {
      const planned = decision.planned(stepId);
      if (planned === undefined || decision.step(stepId)?.state !== 'ready') continue;
      if (reached.has(stepId)) this.admitStep(decision, planned, turns);
      else this.wait(decision, planned);
    }
    for (const { stepId, dispatch } of decision.dispatched) this.command(decision, stepId, dispatch, 'execute');
    for (const { stepId, dispatch } of decision.settles) this.lookUp(decision, stepId, dispatch);
    this.noteDue(decision);
  }

  /** What these runs had taken is free again. */
  release(lost: ReadonlySet<Decision>): void {
    for (const { gate, name, decision } of this.reservations) if (lost.has(decision)) gate.inFlight.delete(name);
  }

  releaseAll(): void {
    for (const { gate, name } of this.reservations) gate.inFlight.delete(name);
  }

  private admitStep(decision: Decision, planned: PlannedStep, turns: Turns): void {
    const stepId = planned.id;
    if (decision.isOrdered(planned) && !turns.isTurnOf(decision, planned.integrationId)) {
      decision.due.set(stepId, { kind: 'turn', dueAtMs: Infinity });
      return;
    }
    const gate = this.gateOf(decision, planned);
    const waited = decision.items.some((item) => item.kind === 'due' && item.stepId === stepId && (item.due === 'gate' || item.due === 'turn'));
    const mustWait = gate.facts !== null && (this.closing.has(gate) || (waited ? gate.room(this.nowMs) : gate.roomForNewcomers(this.nowMs)) <= 0);
    const recorded = this.families.recorded(decision, stepId);
    if (recorded !== null) return this.takeRecorded(decision, stepId, recorded);
    if (this.families.holds(decision, stepId)) {
      decision.due.set(stepId, { kind: 'turn', dueAtMs: this.nowMs + familyRetryMs });
      return;
    }
    if (mustWait || !this.mayAdmit) return this.wait(decision, planned);
    const name = dispatchName({ runId: decision.runId, stepId, dispatch: (decision.step(stepId)?.dispatch ?? 0) + 1 });
    gate.sent(name, this.nowMs);
    this.reservations.push({ gate, name, decision });
    const before = decision.dispatched.length;
    decision.apply({ kind: 'admit', stepId, startBeforeMs: this.startBeforeMs(gate) });
    if (decision.dispatched.length === before) gate.inFlight.delete(name);
  }

  private wait(decision: Decision, planned: PlannedStep): void {
    const gate = this.gateOf(decision, planned);
    const kept = this.kept.get(gate) ?? 0;
    const isKept = this.mayAdmit && !this.closing.has(gate) && gate.keeps(this.nowMs, kept);
    // Once one is not, none behind it is.
    this.kept.set(gate, isKept ? kept + 1 : Infinity);
    decision.due.set(planned.id, { kind: 'gate', dueAtMs: decision.step(planned.id)?.firstReadyAtMs ?? this.nowMs, ...(isKept && { leasedUntilMs: this.nowMs + this.settings.leaseMs }) });
  }

  /** The effect exists already: nothing is called (delivery §9). */
  private takeRecorded(decision: Decision, stepId: string, { result, externalId }: Recorded): void {
    const before = decision.dispatched.length;
    decision.apply({ kind: 'admit', stepId, startBeforeMs: this.nowMs });
    const [sent] = decision.dispatched.splice(before);
    if (sent !== undefined) decision.apply({ kind: 'result', stepId, dispatch: sent.dispatch, outcome: { kind: 'ok', result, externalId } });
  }

  /** At least three times what the command is likely to queue for, measured by what the integration finishes. */
  private startBeforeMs(gate: Gate): number {
    const rate = gate.rate(this.nowMs);
    const queueingMs = rate === 0 ? 0 : (gate.inFlight.size / rate) * 1_000;
    return this.nowMs + Math.ceil(Math.max(this.settings.startWithinMs, 3 * queueingMs));
  }

  private lookUp(decision: Decision, stepId: string, dispatch: number): void {
    const planned = decision.planned(stepId);
    if (planned === undefined || decision.step(stepId)?.state !== 'unknown') return;
    const gate = this.gateOf(decision, planned);
    decision.isTouched = true;
    if (decision.factsOf(stepId) === undefined) {
      // Nobody can be asked; whether the effect exists is for a person to say.
      decision.apply({ kind: 'park', stepId, reason: 'integration-gone' });
      return;
    }
    if (!this.mayAdmit) {
      decision.due.set(stepId, { kind: 'look-up', dueAtMs: this.nowMs });
      return;
    }
    if (gate.facts !== null && (this.closing.has(gate) || gate.closedBecause(this.nowMs) !== null)) {
      const opensAtMs = Math.min(gate.facts.openAtMs, this.nowMs + longestLookUpWaitMs);
      decision.due.set(stepId, { kind: 'look-up', dueAtMs: Math.max(opensAtMs, this.nowMs + closedLookUpMs) });
      return;
    }
    const startBeforeMs = this.command(decision, stepId, dispatch, 'settle');
    // Asked again when nobody has answered by then.
    decision.due.set(stepId, { kind: 'look-up', dueAtMs: startBeforeMs + planned.timeoutMs + this.settings.sweepAfterMs });
  }

  private command(decision: Decision, stepId: string, dispatch: number, kind: 'execute' | 'settle'): number {
    const planned = decision.planned(stepId);
    const step = decision.step(stepId);
    if (planned === undefined || step === undefined) return this.nowMs;
    const startBeforeMs = kind === 'execute' && step.startBeforeMs !== null ? step.startBeforeMs : this.nowMs + this.settings.startWithinMs;
    const family = decision.factsOf(stepId)?.family ?? '';
    decision.commands.push({ family, command: commandOf(decision.loaded.row, planned, step, { kind, dispatch, startBeforeMs, traceparent: decision.loaded.event.traceparent }) });
    this.sweepAtMs = Math.max(this.sweepAtMs, startBeforeMs + planned.timeoutMs + this.settings.sweepAfterMs);
    return startBeforeMs;
  }

  /** Rows of `due_work` that have come to their end, and the retry of what lost its integration. */
  private noteDue(decision: Decision): void {
    const before = new Map(decision.loaded.row.run.steps.map((step) => [step.id, step.state]));
    for (const step of decision.run.steps) {
      if (isHeldBack(step) && !decision.due.has(step.id)) decision.due.set(step.id, { kind: 'wake', dueAtMs: step.reason === 'integration-gone' ? this.nowMs + goneRetryMs : Infinity });
      const wasDue = decision.items.some((item) => item.kind === 'due' && item.stepId === step.id) || ['ready', 'deferred', 'unknown', 'parked'].includes(before.get(step.id) ?? 'waiting');
      const holdsRow = step.state === 'ready' || step.state === 'deferred' || step.state === 'unknown' || (step.state === 'parked' && step.dueAtMs !== null) || isHeldBack(step);
      const isSame = before.get(step.id) === step.state && holdsRow;
      if (decision.due.has(step.id) && !holdsRow) decision.due.delete(step.id);
      if (wasDue && !decision.due.has(step.id) && !isSame && !decision.isNew) decision.noLongerDue.add(step.id);
    }
    for (const item of decision.items) if (item.kind === 'due' && item.stepId === '') decision.noLongerDue.add('');
    if (decision.items.some((item) => item.kind === 'due')) decision.isTouched ||= decision.noLongerDue.size > 0 || decision.due.size > 0;
  }

  private gateOf(decision: Decision, planned: PlannedStep): Gate {
    return this.gates.of({ organisationId: decision.organisationId, integrationId: planned.integrationId });
  }
}

/** Parked until a time, or until somebody processes the queue; a row of `due_work` is how it is found. */
function isHeldBack(step: StepProgress): boolean {
  return step.state === 'parked' && (step.reason === 'integration-gone' || step.reason === 'provider-down');
}
