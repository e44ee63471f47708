import { Connection, type CheckAnswer, signInOf, TokenCache, providers } from '@trunkline/connectors';
import { StoredGrant } from '@trunkline/grants';
import { type Outbound, startDeadline } from '@trunkline/outbound';
import type { Databases } from '@trunkline/storage';
import type { Vault } from '@trunkline/vault';

export interface ConnectionToCheck {
  readonly organisationId: string;
  readonly integrationId: string;
  readonly provider: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly credentials: Readonly<Record<string, unknown>>;
}

/** Really calls the provider's cheap checks. */
export type CheckConnection = (connection: ConnectionToCheck) => Promise<CheckAnswer>;

const checkTimeoutMs = 15_000;

/** Each check fetches a token of its own, so that it says what the credentials are worth now; granted tokens are shared with the workers, and refreshed only in turn. */
export function checkOver(outbound: Outbound, databases: Pick<Databases, 'system'>, vault: Vault): CheckConnection {
  return async ({ organisationId, integrationId, provider: id, settings, credentials }) => {
    const provider = providers.find((candidate) => candidate.id === id);
    if (provider === undefined) return { isGood: false, findings: [{ shows: 'The provider is known', isGood: false, problem: `${id} is not known to this version` }] };
    const way = { provider, settings, credentials, send: outbound.request.bind(outbound), nowMs: Date.now };
    const granted = signInOf(provider, settings) === 'authorization_code' ? { granted: new StoredGrant({ ...way, databases, vault, organisationId, integrationId }) } : {};
    const connection = new Connection({ ...way, ...granted, id: 'check', tokens: new TokenCache() });
    return connection.check(startDeadline(checkTimeoutMs));
  };
}
