import { randomUUID } from 'node:crypto';
import type { PlannedStep } from '@trunkline/chain';
import { catalogueOf, providers } from '@trunkline/connectors';
import { createIdentity } from '@trunkline/identity';
import { inTenant, migrate, openDatabases, type Databases, openVault, placeOfCredentials } from '@trunkline/storage';
import { parseMasterKeys, type Vault } from '@trunkline/vault';
import type { CallLimit, ChaosProvider, Council, CouncilName, Preparation, RehearsedStep } from './council.js';
import { rehearsal, rehearsalWindowMs } from './rehearsal/provider.js';

/** As the simulators are set; chaos stays within them, since what a provider does beyond its stated bounds nobody can survive. */
const searchBounds = { search_commit_within_ms: 2_000, search_visible_after_ms: 3_000 } as const;
const withoutLimits = { limit_per_minute: 0, limit_per_day: 0, limit_concurrent: 0 } as const;
/** Each text begins so: an effect can be told by its content alone, whatever our references say. */
const text = `'Request ' + event.id + ': ' + default(event.data.summary, 'no summary')`;
/** Patience enough that no step is given up while its provider is kept away. */
const usual = { condition: null, onFailure: 'stop', timeoutMs: 5_000, retry: { attempts: 500, backoffMs: 200, maxBackoffMs: 3_000 }, ordering: 'none', reads: [] } as const;

interface StepWish extends Pick<PlannedStep, 'id' | 'action' | 'input'> {
  readonly provider: ChaosProvider;
  readonly recordType: string;
  readonly ordering?: 'subject';
}

const chains: Readonly<Record<CouncilName, readonly StepWish[]>> = {
  alpha: [
    { id: 'note', provider: 'genesys', action: 'log_conversation', recordType: 'note', input: { contact_reference: { path: 'event.data.contact.id' }, contact_name: { path: 'event.data.contact.name' }, text: { cel: text } } },
    { id: 'job', provider: 'techone', action: 'create_job', recordType: 'WorkRequest', ordering: 'subject', input: { description: { cel: `'Request ' + event.id + ': ' + default(event.data.request_type, 'General')` }, details: { cel: text } } },
    { id: 'task', provider: 'salesforce', action: 'push_summary', recordType: 'Task', input: { subject: { cel: `'Request ' + event.id + ': job ' + steps.job.job_number` }, description: { cel: text }, job_number: { path: 'steps.job.job_number' } } },
  ],
  beta: [
    { id: 'keyed', provider: 'rehearsal', action: 'write_by_key', recordType: 'keyed', input: { text: { cel: text } } },
    { id: 'searched', provider: 'rehearsal', action: 'write_after_search', recordType: 'searched', input: { text: { cel: text } } },
    { id: 'task', provider: 'salesforce', action: 'push_summary', recordType: 'Task', input: { subject: { cel: text }, job_number: { value: 'none' } } },
    { id: 'once', provider: 'rehearsal', action: 'write_once', recordType: 'once', input: { text: { cel: text } } },
  ],
};

/** Lays down database, organisations, keys, integrations and chains. */
export async function prepareCouncils(preparation: Preparation): Promise<readonly Council[]> {
  await migrate(preparation.databaseUrl);
  const databases = openDatabases(preparation.databaseUrl);
  try {
    const vault = openVault(databases, parseMasterKeys(preparation.masterKeys));
    return [await prepareCouncil(databases, vault, 'alpha', preparation), await prepareCouncil(databases, vault, 'beta', preparation)];
  } finally {
    await databases.close();
  }
}

async function prepareCouncil(databases: Databases, vault: Vault, name: CouncilName, preparation: Preparation): Promise<Council> {
  const identity = createIdentity({ databases });
  const { id: organisationId } = await identity.createOrganisation({ name: `Council ${name}` });
  const wishes = chains[name];
  const integrations = [...new Set(wishes.map(({ provider }) => provider))].map((provider) => ({ provider, id: randomUUID() }));
  const idOf = (provider: ChaosProvider): string => integrations.find((integration) => integration.provider === provider)?.id ?? '';
  const planned = wishes.map(({ id, provider, action, ordering, input }, index): PlannedStep => ({ ...usual, id, name: id, integrationId: idOf(provider), provider, action, priority: 10 * (index + 1), input, reads: name === 'alpha' && id === 'task' ? ['job'] : [], ...(ordering && { ordering }) }));
  await inTenant(databases, organisationId, async (client) => {
    for (const { id, provider } of integrations) {
      const credentials = await vault.seal(JSON.stringify({ client_id: `client-${name}`, client_secret: 'secret' }), placeOfCredentials(organisationId, id));
      await client.query('insert into integrations (organisation_id, id, provider, name, settings, credentials) values ($1, $2, $3, $3, $4, $5)', [organisationId, id, provider, JSON.stringify(settingsOf(provider, name, preparation)), credentials]);
    }
    await client.query(`insert into chain_versions (organisation_id, event_type, version, steps, valid_from) values ($1, 'conversation_ended', 1, $2, to_timestamp(0))`, [organisationId, JSON.stringify(planned)]);
  });
  const { apiKey } = await identity.createApiKey({ organisationId, name: 'rehearsal', scopes: ['publish', 'read', 'execute', 'admin'] });
  const catalogue = catalogueOf([...providers, rehearsal]);
  const steps = wishes.map(({ id, provider, action, recordType, ordering }): RehearsedStep => ({ id, provider, ordering: ordering ?? 'none', integrationId: idOf(provider), recordType, repeat: catalogue.find(provider, action)?.repeat ?? 'never' }));
  return { name, organisationId, apiKey, steps, integrations, limits: integrations.flatMap(({ provider }) => limitsOf(provider, name, preparation)) };
}

function settingsOf(provider: ChaosProvider, name: CouncilName, { addresses, techonePerMinute, rehearsalPerWindow }: Preparation): Readonly<Record<string, unknown>> {
  const url = addresses[provider];
  switch (provider) {
    case 'genesys':
      return { api_url: url, login_url: url, ...withoutLimits, ...searchBounds };
    case 'techone':
      return { base_url: `${url}${techonePath(name)}`, ...withoutLimits, limit_per_minute: techonePerMinute, ...searchBounds };
    case 'salesforce':
      return { instance_url: url, ...withoutLimits };
    case 'rehearsal':
      return { base_url: `${url}/at-${name}`, limit_per_window: rehearsalPerWindow };
    default:
      return provider satisfies never;
  }
}

function limitsOf(provider: ChaosProvider, name: CouncilName, { techonePerMinute, rehearsalPerWindow }: Preparation): readonly CallLimit[] {
  if (provider === 'techone' && techonePerMinute > 0) return [{ provider, pathPrefix: `${techonePath(name)}/`, calls: techonePerMinute, windowMs: 60_000 }];
  if (provider === 'rehearsal' && rehearsalPerWindow > 0) return [{ provider, pathPrefix: `/at-${name}/`, calls: rehearsalPerWindow, windowMs: rehearsalWindowMs }];
  return [];
}

function techonePath(name: CouncilName): string {
  return `/T1Default/CiAnywhere/Web/${name.toUpperCase()}`;
}
