import { randomUUID } from 'node:crypto';
import { allowEverywhere, createOutbound, startDeadline } from '@trunkline/outbound';
import { Connection, type CheckAnswer, type Called } from '../kit/connection.js';
import type { Provider } from '../kit/provider.js';
import { TokenCache } from '../kit/tokens.js';
import type { Finding, StepOutcome } from '@trunkline/chain';

/** One connection for a spec that names what is odd about a provider. */
export interface TryOut {
  write(action: string, input: unknown, reference: string): Promise<Called<StepOutcome>>;
  search(action: string, input: unknown, reference: string): Promise<Called<Finding>>;
  check(): Promise<CheckAnswer>;
  close(): Promise<void>;
}

export function tryOut(provider: Provider, settings: Readonly<Record<string, unknown>>, credentials: Readonly<Record<string, unknown>> = { client_id: 'id', client_secret: 'secret' }): TryOut {
  const outbound = createOutbound({ policy: allowEverywhere });
  const connection = new Connection({ provider, id: randomUUID(), settings, credentials, tokens: new TokenCache(), send: (request) => outbound.request(request), nowMs: () => Date.now() });
  const actionOf = (name: string) => {
    const action = provider.actions[name];
    if (action === undefined) throw new Error(`${provider.id} has no action ${name}`);
    return action;
  };
  const bytes = (input: unknown): Buffer => Buffer.from(JSON.stringify(input));
  return {
    write: (name, input, reference) => connection.write({ action: actionOf(name), input: bytes(input), reference, repeat: actionOf(name).write.repeat.method, deadline: startDeadline(20_000) }),
    search: (name, input, reference) => connection.search({ action: actionOf(name), input: bytes(input), reference, deadline: startDeadline(20_000) }),
    check: () => connection.check(startDeadline(20_000)),
    close: () => outbound.close(),
  };
}
