import { randomUUID } from 'node:crypto';
import type { PlannedStep } from '@trunkline/chain';
import { createIdentity } from '@trunkline/identity';
import { inTenant, type Databases, placeOfCredentials } from '@trunkline/storage';
import type { Vault } from '@trunkline/vault';
import { demoChain, demoProviders, type DemoProvider } from '../dev/seed.js';

export interface BenchTenant {
  readonly organisationId: string;
  readonly apiKey: string;
}

/** Where a tenant's provider listens. */
export interface ProviderAddress {
  readonly provider: string;
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: string;
}

export interface TenantWishes {
  readonly databases: Databases;
  readonly vault: Vault;
  readonly name: string;
  readonly providers: readonly ProviderAddress[];
  /** Added to every integration's settings; absent: no limits on our side. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Chains by assistant, over the demo's steps with this tenant's integrations; absent: the demo's chain for everybody. */
  readonly chains?: (demo: readonly PlannedStep[]) => Readonly<Record<string, readonly PlannedStep[]>>;
}

const withoutLimits = { limit_per_minute: 0, limit_per_day: 0, limit_concurrent: 0 } as const;
/** As the simulators are set; for a real tenant an administrator measures them. */
export const searchBounds = { search_commit_within_ms: 1000, search_visible_after_ms: 2000 } as const;

/** An organisation beside the demo's, with integrations and chains of its own. */
export async function addTenant({ databases, vault, name, providers, settings = withoutLimits, chains = (demo) => ({ '': demo }) }: TenantWishes): Promise<BenchTenant> {
  const identity = createIdentity({ databases });
  const { id: organisationId } = await identity.createOrganisation({ name });
  const ids = Object.fromEntries(demoProviders.map((provider) => [provider, randomUUID()])) as Record<DemoProvider, string>;
  const steps = demoChain(true).map((step): PlannedStep => ({ ...step, integrationId: ids[step.provider as DemoProvider] }));
  await inTenant(databases, organisationId, async (client) => {
    for (const { provider, url, clientId, clientSecret } of providers) {
      const id = ids[provider as DemoProvider];
      const credentials = await vault.seal(JSON.stringify({ client_id: clientId, client_secret: clientSecret }), placeOfCredentials(organisationId, id));
      await client.query('insert into integrations (organisation_id, id, provider, name, settings, credentials) values ($1, $2, $3, $3, $4, $5)', [organisationId, id, provider, JSON.stringify({ ...addressSettings(provider, url), ...settings }), credentials]);
    }
    for (const [assistant, chain] of Object.entries(chains(steps))) {
      await client.query(`insert into chain_versions (organisation_id, event_type, assistant_id, version, steps, valid_from) values ($1, 'conversation_ended', $2, 1, $3, to_timestamp(0))`, [organisationId, assistant, JSON.stringify(chain)]);
    }
  });
  const { apiKey } = await identity.createApiKey({ organisationId, name: 'bench', scopes: ['publish', 'read', 'execute', 'admin'] });
  return { organisationId, apiKey };
}

/** The demo's last step by itself: one record, written by an upsert, that needs no job. */
export function summaryAlone(demo: readonly PlannedStep[]): readonly PlannedStep[] {
  return demo.filter(({ id }) => id === 'salesforce').map((step) => ({ ...step, reads: [], input: { subject: { cel: `'Request ' + event.id + ': alone'` }, description: { path: 'event.data.summary' }, job_number: { value: 'none' } } }));
}

function addressSettings(provider: string, url: string): Readonly<Record<string, unknown>> {
  if (provider === 'genesys') return { api_url: url, login_url: url, ...searchBounds };
  if (provider === 'techone') return { base_url: url, ...searchBounds };
  return { instance_url: url };
}
