import { randomBytes, randomUUID } from 'node:crypto';
import type { PlannedStep } from '@trunkline/chain';
import { createIdentity } from '@trunkline/identity';
import type { SimulatedProvider } from '@trunkline/simulators';
import { inTenant, openVault, placeOfCredentials, type Databases } from '@trunkline/storage';
import { parseMasterKeys, type Vault } from '@trunkline/vault';

export const councilProviders = ['genesys', 'techone', 'salesforce'] as const satisfies readonly SimulatedProvider[];

/** An organisation as the tests see it. */
export interface Council {
  readonly organisationId: string;
  readonly apiKey: string;
  /** Integration ids by provider. */
  readonly integrations: Readonly<Record<SimulatedProvider, string>>;
}

export interface CouncilWishes {
  readonly databases: Databases;
  readonly vault: Vault;
  /** Where each provider listens; a provider left out gets no integration and no step. */
  readonly addresses: Readonly<Partial<Record<SimulatedProvider, string>>>;
  readonly name?: string;
  /** Added to every integration's settings, or to one provider's. */
  readonly settings?: Readonly<Partial<Record<SimulatedProvider | 'all', Readonly<Record<string, unknown>>>>>;
  readonly clientSecret?: string;
  readonly steps?: (integrations: Council['integrations']) => readonly PlannedStep[];
}

export function newMasterKeys(): string {
  return `test-1:${randomBytes(32).toString('base64')}`;
}

export function vaultOf(databases: Databases, masterKeys: string): Vault {
  return openVault(databases, parseMasterKeys(masterKeys));
}

const withoutLimits = { limit_per_minute: 0, limit_per_day: 0, limit_concurrent: 0 } as const;
/** As the simulators are started here. */
export const searchBounds = { search_commit_within_ms: 500, search_visible_after_ms: 500 } as const;

/** Lays down an organisation with its key, its integrations and the chain Genesys → TechOne → Salesforce, as far as their addresses are given. */
export async function seedCouncil({ databases, vault, addresses, name = 'Harbour City Council', settings = {}, clientSecret = 'secret', steps = councilChain }: CouncilWishes): Promise<Council> {
  const identity = createIdentity({ databases });
  const { id: organisationId } = await identity.createOrganisation({ name });
  const integrations = Object.fromEntries(councilProviders.map((provider) => [provider, randomUUID()])) as Record<SimulatedProvider, string>;
  const present = councilProviders.filter((provider) => addresses[provider] !== undefined);
  await inTenant(databases, organisationId, async (client) => {
    for (const provider of present) {
      const id = integrations[provider];
      const own = { ...addressSettings(provider, addresses[provider] ?? ''), ...withoutLimits, ...settings.all, ...settings[provider] };
      const credentials = await vault.seal(JSON.stringify({ client_id: 'client', client_secret: clientSecret }), placeOfCredentials(organisationId, id));
      await client.query('insert into integrations (organisation_id, id, provider, name, settings, credentials) values ($1, $2, $3, $3, $4, $5)', [organisationId, id, provider, JSON.stringify(own), credentials]);
    }
    const chain = steps(integrations).filter(({ provider }) => present.some((one) => one === provider));
    await client.query(`insert into chain_versions (organisation_id, event_type, version, steps, valid_from) values ($1, 'conversation_ended', 1, $2, to_timestamp(0))`, [organisationId, JSON.stringify(chain)]);
  });
  const { apiKey } = await identity.createApiKey({ organisationId, name: 'test', scopes: ['publish', 'read', 'execute', 'admin'] });
  return { organisationId, apiKey, integrations };
}

function addressSettings(provider: SimulatedProvider, url: string): Readonly<Record<string, unknown>> {
  if (provider === 'genesys') return { api_url: url, login_url: url, ...searchBounds };
  if (provider === 'techone') return { base_url: url, ...searchBounds };
  return { instance_url: url };
}

/** Each text begins with `Request <event id>:`, so that an effect can be told from its content alone. */
const text = `'Request ' + event.id + ': ' + default(event.data.summary, 'no summary')`;
const usual = { condition: null, onFailure: 'stop', timeoutMs: 5_000, retry: { attempts: 20, backoffMs: 200, maxBackoffMs: 2_000 }, ordering: 'none', reads: [] } as const;

export function councilChain(integrations: Council['integrations']): readonly PlannedStep[] {
  return [genesysStep(integrations), techoneStep(integrations), salesforceStep(integrations)];
}

export function genesysStep({ genesys }: Council['integrations']): PlannedStep {
  return { ...usual, id: 'genesys', name: 'genesys', integrationId: genesys, provider: 'genesys', action: 'log_conversation', priority: 10, input: { contact_reference: { path: 'event.data.contact.id' }, contact_name: { path: 'event.data.contact.name' }, text: { cel: text } } };
}

export function techoneStep({ techone }: Council['integrations']): PlannedStep {
  return { ...usual, id: 'techone', name: 'techone', integrationId: techone, provider: 'techone', action: 'create_job', priority: 20, ordering: 'subject', input: { description: { cel: `'Request ' + event.id + ': ' + default(event.data.request_type, 'General')` }, details: { cel: text } } };
}

export function salesforceStep({ salesforce }: Council['integrations']): PlannedStep {
  return { ...usual, id: 'salesforce', name: 'salesforce', integrationId: salesforce, provider: 'salesforce', action: 'push_summary', priority: 30, reads: ['techone'], input: { subject: { cel: `'Request ' + event.id + ': job ' + steps.techone.job_number` }, description: { cel: text }, job_number: { path: 'steps.techone.job_number' } } };
}

/** A Salesforce step that needs no job, for chains of one step. */
export function summaryAlone({ salesforce }: Council['integrations']): PlannedStep {
  return { ...usual, id: 'salesforce', name: 'salesforce', integrationId: salesforce, provider: 'salesforce', action: 'push_summary', priority: 10, input: { subject: { cel: text }, job_number: { value: 'none' } } };
}
