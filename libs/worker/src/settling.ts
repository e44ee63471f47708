import type { Finding } from '@trunkline/chain';
import type { Command } from '@trunkline/contracts';
import { startDeadline, type Clock } from '@trunkline/outbound';
import type { Provider } from '@trunkline/connectors';
import { failpoint } from '@trunkline/failpoints';
import type { Answered } from './answer.js';
import { callsOfSearch, type Caller } from './caller.js';
import type { Integrations } from './integrations.js';

export interface SettlingParts {
  readonly providers: ReadonlyMap<string, Provider>;
  readonly integrations: Integrations;
  readonly caller: Caller;
  readonly clock: Clock;
}

/** One `settle` command: looks for what an earlier dispatch may have written. It only reads, so it needs no intent and may be repeated. */
export class Settling {
  constructor(private readonly parts: SettlingParts) {}

  async run(command: Command): Promise<Answered<Finding>> {
    const { providers, integrations, caller, clock } = this.parts;
    const provider = providers.get(command.provider);
    const action = provider !== undefined && Object.hasOwn(provider.actions, command.action) ? provider.actions[command.action] : undefined;
    if (action === undefined) return failed('transient', 'worker-older-than-plan', 'this worker does not know the action');
    const found = await integrations.get(command.organisationId, command.integrationId);
    if (found.kind === 'locked') return { ...failed('auth', found.code, found.message), integrationVersion: found.version };
    if (found.kind === 'gone' || found.integration.provider.id !== command.provider) return failed('transient', 'integration-gone', 'the integration is gone');
    const { integration } = found;
    const admission = await caller.admit(integration, callsOfSearch(action));
    if (admission.kind === 'refused') return failed('throttled', admission.code, admission.message, admission.untilMs);
    const { permit } = admission;
    try {
      if (permit.waitMs > 0) await new Promise((resolve) => setTimeout(resolve, permit.waitMs));
      const called = await caller.search(integration, { command, action, deadline: startDeadline(command.deadlineMs, clock), permit });
      failpoint('settle.afterSearch');
      if (called.answer.kind !== 'failed' || called.answer.class !== 'auth') return called;
      integrations.forget(integration.organisationId, integration.id);
      return { ...called, integrationVersion: integration.version };
    } finally {
      permit.end();
    }
  }
}

function failed(reason: 'throttled' | 'auth' | 'transient', code: string, message: string, untilMs?: number): Answered<Finding> {
  return { answer: { kind: 'failed', class: reason, code, message, ...(untilMs === undefined ? {} : { untilMs }) }, call: null };
}
