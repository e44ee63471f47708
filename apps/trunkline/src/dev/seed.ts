import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PlannedStep } from '@trunkline/chain';
import { createIdentity, Unauthenticated } from '@trunkline/identity';
import { inTenant, openVault, placeOfCredentials, type Databases } from '@trunkline/storage';
import { parseMasterKeys, type Vault } from '@trunkline/vault';
import { type DemoOwner, newDemoOwner, seedOwner } from './demo-owner.js';
import type { RunningSimulator } from './simulators.js';

export const demoOrganisation = { id: '0a4b0c0d-0000-4000-8000-00000000c001', name: 'Harbour City Council' } as const;

/** Ids that stay, so that a second start finds what the first made. */
const integrationIds = { genesys: '0a4b0c0d-0000-4000-8000-00000000c010', techone: '0a4b0c0d-0000-4000-8000-00000000c020', salesforce: '0a4b0c0d-0000-4000-8000-00000000c030' } as const;
export type DemoProvider = keyof typeof integrationIds;
export const demoProviders: readonly DemoProvider[] = ['genesys', 'techone', 'salesforce'];

export interface DemoSecrets {
  readonly masterKeys: string;
  readonly simulators: Readonly<Record<DemoProvider, { readonly clientId: string; readonly clientSecret: string }>>;
  readonly apiKey: string | null;
  /** Missing in a folder of an earlier version. */
  readonly owner?: DemoOwner;
}

/** Secrets of this checkout's demo, made at the first start (mode 0600). */
export function demoSecrets(folder: string): DemoSecrets {
  const file = join(folder, 'secrets.json');
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as DemoSecrets;
  const credentials = (): { clientId: string; clientSecret: string } => ({ clientId: randomBytes(9).toString('hex'), clientSecret: randomBytes(18).toString('base64url') });
  const secrets: DemoSecrets = { masterKeys: `dev-1:${randomBytes(32).toString('base64')}`, simulators: { genesys: credentials(), techone: credentials(), salesforce: credentials() }, apiKey: null };
  writeSecrets(folder, secrets);
  return secrets;
}

function writeSecrets(folder: string, secrets: DemoSecrets): void {
  writeFileSync(join(folder, 'secrets.json'), `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600 });
}

export function demoVault(databases: Databases, secrets: DemoSecrets): Vault {
  return openVault(databases, parseMasterKeys(secrets.masterKeys));
}

export interface SeedOptions {
  readonly databases: Databases;
  readonly folder: string;
  readonly secrets: DemoSecrets;
  readonly simulators: readonly RunningSimulator[];
  /** Lifts the providers' limits on our side too. */
  readonly withoutLimits: boolean;
  readonly isOrdered: boolean;
}

/** Lays down the demo organisation, its owner, its key, its three integrations and its chain; what is there already stays, addresses follow the simulators. */
export async function seedDemo(options: SeedOptions): Promise<{ apiKey: string; owner: DemoOwner }> {
  const { databases, folder, simulators } = options;
  const owner = options.secrets.owner ?? newDemoOwner();
  const secrets = { ...options.secrets, owner };
  // Kept before it is used: killed in between, the next start still knows it.
  if (options.secrets.owner === undefined) writeSecrets(folder, secrets);
  const identity = createIdentity({ databases });
  await identity.createOrganisation(demoOrganisation);
  await seedOwner(databases, demoOrganisation.id, owner);
  const vault = demoVault(databases, secrets);
  for (const simulator of simulators) await seedIntegration(databases, vault, simulator, settingsOf(simulator, options.withoutLimits));
  await seedChain(databases, demoChain(options.isOrdered));
  if (secrets.apiKey !== null && (await isAccepted(secrets.apiKey))) return { apiKey: secrets.apiKey, owner };
  const { apiKey } = await identity.createApiKey({ organisationId: demoOrganisation.id, name: 'demo', scopes: ['publish', 'read', 'execute', 'admin'] });
  writeSecrets(folder, { ...secrets, apiKey });
  return { apiKey, owner };

  async function isAccepted(key: string): Promise<boolean> {
    try {
      await identity.verifyApiKey(key);
      return true;
    } catch (error) {
      if (Unauthenticated.matches(error)) return false;
      throw error;
    }
  }
}

async function seedIntegration(databases: Databases, vault: Vault, simulator: RunningSimulator, settings: Readonly<Record<string, unknown>>): Promise<void> {
  const id = integrationIds[simulator.provider as DemoProvider];
  const credentials = await vault.seal(JSON.stringify({ client_id: simulator.clientId, client_secret: simulator.clientSecret }), placeOfCredentials(demoOrganisation.id, id));
  await inTenant(databases, demoOrganisation.id, (client) =>
    client.query(
      `insert into integrations (organisation_id, id, provider, name, settings, credentials) values ($1, $2, $3, $4, $5, $6)
       on conflict (organisation_id, id) do update set settings = excluded.settings, credentials = excluded.credentials, updated_at = now(), version = integrations.version + 1
       where integrations.settings is distinct from excluded.settings or get_byte(integrations.credentials, 0) <> get_byte(excluded.credentials, 0)`,
      [demoOrganisation.id, id, simulator.provider, `${simulator.provider} (simulated)`, JSON.stringify(settings), credentials],
    ),
  );
}

/** Search bounds as the simulators are set; for a real tenant an administrator measures them. */
const searchBounds = { search_commit_within_ms: 1000, search_visible_after_ms: 2000 } as const;

function settingsOf({ provider, url }: RunningSimulator, withoutLimits: boolean): Readonly<Record<string, unknown>> {
  const limits = withoutLimits ? { limit_per_minute: 0, limit_per_day: 0, limit_concurrent: 0 } : {};
  if (provider === 'genesys') return { api_url: url, login_url: url, ...searchBounds, ...limits };
  if (provider === 'techone') return { base_url: url, ...searchBounds, ...limits };
  return { instance_url: url, ...limits };
}

/** A version of the chain is added only when the newest differs, so that a second start plans by the same one. */
async function seedChain(databases: Databases, steps: readonly PlannedStep[]): Promise<void> {
  await inTenant(databases, demoOrganisation.id, async (client) => {
    const { rows } = await client.query<{ version: number; steps: unknown }>(`select version, steps from chain_versions where organisation_id = $1 and event_type = 'conversation_ended' and assistant_id = '' order by version desc limit 1`, [demoOrganisation.id]);
    const newest = rows[0];
    if (newest !== undefined) return;
    // The first version is in force from the beginning of time: nothing can have been planned before it.
    await client.query(`insert into chain_versions (organisation_id, event_type, assistant_id, version, steps, valid_from) values ($1, 'conversation_ended', '', 1, $2, to_timestamp(0))`, [demoOrganisation.id, JSON.stringify(steps)]);
  });
}

/**
 * The council's chain: the call is logged in Genesys Cloud, becomes a job in TechOne, and a summary with the job's number reaches Salesforce.
 * Each text begins with `Request <event id>:`, so that the providers' journals can be held against the events by content alone.
 */
export function demoChain(isOrdered: boolean): readonly PlannedStep[] {
  const common = { condition: null, onFailure: 'stop', timeoutMs: 10_000, retry: { attempts: 8, backoffMs: 500, maxBackoffMs: 60_000 } } as const;
  const text = `'Request ' + event.id + ': ' + default(event.data.summary, 'no summary')`;
  return [
    {
      ...common, id: 'genesys', name: 'genesys', integrationId: integrationIds.genesys, provider: 'genesys', action: 'log_conversation', priority: 10, ordering: 'none', reads: [],
      input: { contact_reference: { cel: `default(event.data.contact.id, 'resident-' + event.id)` }, contact_name: { cel: `default(event.data.contact.name, 'Resident of request ' + event.id)` }, text: { cel: text } },
    },
    {
      ...common, id: 'techone', name: 'techone', integrationId: integrationIds.techone, provider: 'techone', action: 'create_job', priority: 20, ordering: isOrdered ? 'subject' : 'none', reads: [],
      input: { description: { cel: `'Request ' + event.id + ': ' + default(event.data.request_type, 'General')` }, details: { cel: text }, type: { value: 'GEN' }, priority: { value: '3' } },
    },
    {
      ...common, id: 'salesforce', name: 'salesforce', integrationId: integrationIds.salesforce, provider: 'salesforce', action: 'push_summary', priority: 30, ordering: 'none', reads: ['techone'],
      input: { subject: { cel: `'Request ' + event.id + ': job ' + steps.techone.job_number` }, description: { cel: text }, job_number: { path: 'steps.techone.job_number' } },
    },
  ];
}
