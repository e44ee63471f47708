import type { Finding, RepeatMethod, StepOutcome } from '@trunkline/chain';
import type { Command } from '@trunkline/contracts';
import type { Action, Called } from '@trunkline/connectors';
import type { Deadline } from '@trunkline/outbound';
import type { Breakers } from './breakers.js';
import type { Budgets } from './budgets.js';
import type { Integration } from './integrations.js';
import type { Permit } from './permit.js';
import type { WorkerMetrics } from './ports.js';

/** Permission to call, or why not. A permit has to be ended, used or not. */
export type Admission = { readonly kind: 'admitted'; readonly permit: Permit } | { readonly kind: 'refused'; readonly untilMs: number; readonly code: string; readonly message: string; readonly gate: 'throttled' | 'provider-down' };

export interface CallerParts {
  readonly budgets: Budgets;
  readonly breakers: Breakers;
  readonly nowMs: () => number;
  readonly maxWaitMs: number;
  readonly metrics: WorkerMetrics | undefined;
}

export interface WriteCall {
  readonly command: Command;
  readonly action: Action;
  readonly repeat: RepeatMethod;
  readonly deadline: Deadline;
  readonly permit: Permit;
  readonly mayWrite: () => string | null;
}

const usedUp = 'the limit of calls is used up';

/** Calls providers within budget, places and breaker. */
export class Caller {
  constructor(private readonly parts: CallerParts) {}

  async admit(integration: Integration, calls: number, maxWaitMs = this.parts.maxWaitMs): Promise<Admission> {
    const { budgets, breakers, nowMs } = this.parts;
    const openUntilMs = breakers.openUntilMs(integration.id);
    if (openUntilMs !== null) return this.refuse(integration, openUntilMs, 'breaker.open', 'most recent calls to the provider failed', 'provider-down');
    const release = await budgets.place(integration, maxWaitMs);
    if (release === null) return this.refuse(integration, nowMs() + 1_000, 'budget.concurrent', 'as many calls as allowed are running', 'throttled');
    try {
      const permission = await budgets.reserve(integration, calls, maxWaitMs, release, () => this.parts.metrics?.providerThrottled(integration.provider.id, 'late'));
      if (permission.kind === 'granted') return { kind: 'admitted', permit: permission.permit };
      release();
      return this.refuse(integration, permission.untilMs, permission.because, usedUp, 'throttled');
    } catch (error) {
      release();
      throw error;
    }
  }

  async write(integration: Integration, { command, action, repeat, deadline, permit, mayWrite }: WriteCall): Promise<Called<StepOutcome>> {
    const { breakers, budgets, nowMs, metrics } = this.parts;
    const guarded = await breakers.run(integration.id, integration.provider.id, async () => {
      const called = await integration.connection.write({ action, input: command.input, reference: command.effectKey, repeat, deadline, mayWrite, meter: permit.meter });
      return { value: called, isDown: isDown(called.call, called.answer) };
    });
    if (guarded.kind === 'open') return { answer: { kind: 'throttled', untilMs: guarded.untilMs, code: 'breaker.open', message: 'most recent calls to the provider failed', gate: 'provider-down' }, call: null };
    const { answer, call } = guarded.value;
    const fullUntilMs = this.fullUntilMs(permit, answer);
    if (fullUntilMs !== null) return { answer: { kind: 'throttled', untilMs: fullUntilMs, code: 'budget.late', message: usedUp }, call: null };
    if (answer.kind === 'throttled') {
      budgets.closeUntil(integration, answer.untilMs, answer.code);
      metrics?.providerThrottled(integration.provider.id, 'provider');
    }
    if (call !== null) metrics?.providerCall(integration.provider.id, command.action, answer.kind, call.durationMs);
    if (answer.kind !== 'throttled') return guarded.value;
    return { answer: { ...answer, untilMs: Math.max(answer.untilMs, nowMs()) }, call };
  }

  async search(integration: Integration, { command, action, deadline, permit }: Omit<WriteCall, 'repeat' | 'mayWrite'>): Promise<Called<Finding>> {
    const { breakers, budgets, metrics } = this.parts;
    const guarded = await breakers.run(integration.id, integration.provider.id, async () => {
      const called = await integration.connection.search({ action, input: command.input, reference: command.effectKey, deadline, meter: permit.meter });
      return { value: called, isDown: isDown(called.call, called.answer) };
    });
    if (guarded.kind === 'open') return { answer: { kind: 'failed', class: 'throttled', code: 'breaker.open', message: 'most recent calls to the provider failed', untilMs: guarded.untilMs }, call: null };
    const { answer, call } = guarded.value;
    const fullUntilMs = this.fullUntilMs(permit, answer);
    if (fullUntilMs !== null) return { answer: { kind: 'failed', class: 'throttled', code: 'budget.late', message: usedUp, untilMs: fullUntilMs }, call: null };
    if (answer.kind === 'failed' && answer.untilMs !== undefined) budgets.closeUntil(integration, answer.untilMs, answer.code);
    if (call !== null) metrics?.providerCall(integration.provider.id, `${command.action}.search`, answer.kind, call.durationMs);
    return guarded.value;
  }

  /** When the command may come again whose call was kept back because there was no room for it: it waits like any other, and no attempt is used (P6). */
  private fullUntilMs({ fullUntilMs }: Permit, answer: StepOutcome | Finding): number | null {
    return fullUntilMs !== null && 'code' in answer && answer.code === 'http.withheld' ? this.parts.budgets.onDatabaseClock(fullUntilMs) : null;
  }

  private refuse(integration: Integration, untilMs: number, code: string, message: string, gate: 'throttled' | 'provider-down'): Admission {
    this.parts.metrics?.providerThrottled(integration.provider.id, gate === 'provider-down' ? 'breaker' : 'budget');
    return { kind: 'refused', untilMs, code, message, gate };
  }
}

/** What was kept back on our own side. */
const ownReasons: readonly string[] = ['http.withheld', 'http.closed', 'http.address_refused', 'auth.slow', 'auth.resting', 'auth.database_away'];

/** An answer that began and is none: without an end, cut, or not what it says it is. Each costs as much as a large one, and says nothing. */
const noAnswers: readonly string[] = ['http.too_large', 'http.unreadable', 'http.cut', 'http.deadline', 'answer.unreadable'];

/** No answer, or one that speaks of the provider's own trouble. */
function isDown(call: Called<unknown>['call'], answer: StepOutcome | Finding): boolean {
  if ('code' in answer && ownReasons.includes(answer.code)) return false;
  if (call === null) return answer.kind === 'transient' || (answer.kind === 'failed' && answer.class === 'transient');
  return call.httpStatus === null || call.httpStatus >= 500 || ('code' in answer && noAnswers.includes(answer.code));
}

/** How many calls an action makes at most, tokens left out. */
export function callsOfWrite(action: Action): number {
  return 1 + (action.prepare?.length ?? 0);
}

export function callsOfSearch(action: Action): number {
  const { repeat } = action.write;
  const search = repeat.method === 'search-first' || repeat.method === 'key' ? repeat.search : undefined;
  return 1 + (search?.prepare?.length ?? 0);
}
