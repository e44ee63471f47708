import { isHarmlessTwice, repeatOf, type RepeatMethod, type StepOutcome } from '@trunkline/chain';
import type { Command } from '@trunkline/contracts';
import { factsOf, type Action, type Provider } from '@trunkline/connectors';
import { failpoint } from '@trunkline/failpoints';
import { startDeadline, type Clock, type Deadline } from '@trunkline/outbound';
import type { Answered } from './answer.js';
import { callsOfWrite, type Caller } from './caller.js';
import { HeartbeatStale } from './errors.js';
import type { Integration, Integrations } from './integrations.js';
import type { Claim, Intents } from './intents.js';
import type { Permit } from './permit.js';

export interface ExecutionParts {
  readonly providers: ReadonlyMap<string, Provider>;
  readonly integrations: Integrations;
  readonly intents: Intents;
  readonly caller: Caller;
  readonly nowMs: () => number;
  readonly clock: Clock;
  /** Why no call may start, or null. */
  readonly heartbeatProblem: () => string | null;
  readonly budgetWaitMs: number;
}

/** Null: the command is discarded without a result. */
export type Executed = Answered<StepOutcome> | null;

/** What is decided before anything is written down: a call, or an answer in its place. */
type Decision = { readonly kind: 'call'; readonly integration: Integration; readonly action: Action; readonly deadline: Deadline; readonly permit: Permit } | { readonly kind: 'answer'; readonly answered: Answered<StepOutcome> };

/** A call that is about to be made: its deadline, and whether an intent stands for it. */
export interface Begun {
  readonly deadline: Deadline;
  readonly keepsIntent: boolean;
}

/** One `execute` command from record to outcome (delivery §6.1–6.5). `onCall` is told before a call is made. */
export class Execution {
  private readonly mayWrite = (): string | null => {
    failpoint('worker.beforeHttp');
    return this.parts.heartbeatProblem();
  };

  constructor(private readonly parts: ExecutionParts) {}

  async run(command: Command, onCall: (begun: Begun) => void): Promise<Executed> {
    const stale = this.parts.heartbeatProblem();
    if (stale !== null) throw HeartbeatStale.because(stale);
    const { repeat, keepsIntent } = this.repeatOf(command);
    const decision = await this.decide(command);
    let claim: Claim | null = null;
    try {
      claim = keepsIntent ? await this.parts.intents.claim(command, decision.kind === 'call' ? 'open' : 'void') : null;
    } catch (error) {
      if (decision.kind === 'call') decision.permit.end();
      throw error;
    }
    if (claim?.kind === 'found') {
      if (decision.kind === 'call') decision.permit.end();
      return answerToFound(claim, repeat);
    }
    if (decision.kind === 'answer') return decision.answered;
    try {
      onCall({ deadline: decision.deadline, keepsIntent });
      if (claim !== null) failpoint('worker.afterIntent');
      const called = await this.parts.caller.write(decision.integration, { command, action: decision.action, repeat, deadline: decision.deadline, permit: decision.permit, mayWrite: this.mayWrite });
      failpoint('worker.afterHttp');
      if (called.answer.kind === 'auth') return this.refused(decision.integration, called);
      const expiresAtMs = claim?.expiresAtMs ?? null;
      return called.answer.kind === 'unknown' && expiresAtMs !== null ? { ...called, answer: { ...called.answer, expiresAtMs } } : called;
    } finally {
      decision.permit.end();
    }
  }

  /** An action this version does not know may be known to another worker, which may have called: its answer needs the intent too. */
  private repeatOf(command: Command): { readonly repeat: RepeatMethod; readonly keepsIntent: boolean } {
    const provider = this.parts.providers.get(command.provider);
    const facts = provider === undefined ? undefined : factsOf(provider, command.action);
    if (facts === undefined) return { repeat: 'never', keepsIntent: true };
    const repeat = repeatOf(facts, { firstDispatchedAtMs: command.firstDispatchedAtMs, startBeforeMs: command.startBeforeMs });
    return { repeat, keepsIntent: !isHarmlessTwice(repeat) || command.orderingKey !== null };
  }

  private async decide(command: Command): Promise<Decision> {
    const provider = this.parts.providers.get(command.provider);
    const action = provider !== undefined && Object.hasOwn(provider.actions, command.action) ? provider.actions[command.action] : undefined;
    if (action === undefined) return answer({ kind: 'parked', reason: 'worker-older-than-plan' });
    if (this.isPast(command)) return answer({ kind: 'expired' });
    const found = await this.parts.integrations.get(command.organisationId, command.integrationId);
    if (found.kind === 'gone' || (found.kind === 'found' && found.integration.provider.id !== command.provider)) return answer({ kind: 'parked', reason: 'integration-gone' });
    if (found.kind === 'locked') return answer({ kind: 'auth', code: found.code, message: found.message }, found.version);
    const admission = await this.parts.caller.admit(found.integration, callsOfWrite(action));
    if (admission.kind === 'refused') return answer({ kind: 'throttled', untilMs: admission.untilMs, code: admission.code, message: admission.message, gate: admission.gate });
    const { permit } = admission;
    if (permit.waitMs > 0) await pause(permit.waitMs);
    // §6.3: begun before the last look at `startBefore`, and before the intent: a freeze between the two cannot let a call outlive startBefore + deadline.
    const deadline = startDeadline(command.deadlineMs, this.parts.clock);
    if (this.isPast(command)) {
      permit.end();
      return answer({ kind: 'expired' });
    }
    return { kind: 'call', integration: found.integration, action, deadline, permit };
  }

  private isPast(command: Command): boolean {
    return this.parts.nowMs() >= command.startBeforeMs;
  }

  /** Somebody may have entered new credentials already: the next command looks, and the ledger is told which were refused. */
  private refused({ organisationId, id, version }: Integration, called: Answered<StepOutcome>): Answered<StepOutcome> {
    this.parts.integrations.forget(organisationId, id);
    return { ...called, integrationVersion: version };
  }
}

/** P4: who finds an intent never calls (delivery §6.1). */
function answerToFound(claim: Extract<Claim, { kind: 'found' }>, repeat: RepeatMethod): Executed {
  if (claim.state === 'void' || isHarmlessTwice(repeat)) return null;
  const expires = claim.expiresAtMs === null ? {} : { expiresAtMs: claim.expiresAtMs };
  return { answer: { kind: 'unknown', code: 'intent.open', message: 'an earlier copy of this command may have called', ...expires }, call: null };
}

function answer(outcome: StepOutcome, integrationVersion?: number): Decision {
  return { kind: 'answer', answered: { answer: outcome, call: null, ...(integrationVersion === undefined ? {} : { integrationVersion }) } };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
