import { Connection, type CheckAnswer, TokenCache, providers } from '@trunkline/connectors';
import { type Outbound, startDeadline } from '@trunkline/outbound';

export interface ConnectionToCheck {
  readonly provider: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly credentials: Readonly<Record<string, unknown>>;
}

/** Really calls the provider's cheap checks. */
export type CheckConnection = (connection: ConnectionToCheck) => Promise<CheckAnswer>;

const checkTimeoutMs = 15_000;

/** Each check fetches a token of its own, so that it says what the credentials are worth now. */
export function checkOver(outbound: Outbound): CheckConnection {
  return async ({ provider: id, settings, credentials }) => {
    const provider = providers.find((candidate) => candidate.id === id);
    if (provider === undefined) return { isGood: false, findings: [{ shows: 'The provider is known', isGood: false, problem: `${id} is not known to this version` }] };
    const connection = new Connection({ provider, id: 'check', settings, credentials, tokens: new TokenCache(), send: (request) => outbound.request(request), nowMs: Date.now });
    return connection.check(startDeadline(checkTimeoutMs));
  };
}
