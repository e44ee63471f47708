import { type ActionCatalogue, type CheckAnswer, originsOf, type ProviderTemplate, providers } from '@trunkline/connectors';
import { type Integration, integrationEntity, placeOfCredentials } from '@trunkline/storage';
import { type Plan, PlanLimitReached } from '@trunkline/identity';
import type { Vault } from '@trunkline/vault';
import type { EntityManager } from 'typeorm';
import type { Enter } from '../../audit/audit-listener.js';
import { IdempotencyReused, NotFound, PreconditionFailed, RequestInvalid } from '../../edge/errors.js';
import type { ControlPlane } from '../control-plane.js';
import { versionExpected } from '../entity-tag.js';
import { idUnder } from '../idempotency.js';
import { CredentialsBound, IntegrationInUse, IntegrationInvalid, IntegrationNotConnected, ProviderUnknown } from './errors.js';
import { mask } from './integration-view.js';
import type { IntegrationBody, NewIntegrationBody } from './integrations.dto.js';
import type { CheckConnection } from './check-connection.js';

type Values = Readonly<Record<string, unknown>>;

/** Settings that every provider has: limits by contract, and the bounds of a search as an administrator measured them. */
const platformSetting = /^settings\.(limit|search)_[a-z_]+ /;

/** Connections to providers. Credentials are sealed to their row before they reach the database and leave it only to be used (S2). */
export class IntegrationsService {
  constructor(
    private readonly plane: ControlPlane,
    private readonly vault: Vault,
    private readonly catalogue: Pick<ActionCatalogue, 'templates' | 'problems'>,
    private readonly checkConnection: CheckConnection,
  ) {}

  templates(): readonly ProviderTemplate[] {
    return this.catalogue.templates();
  }

  templateOf(provider: string): ProviderTemplate | undefined {
    return this.templates().find((template) => template.provider === provider);
  }

  list(organisationId: string): Promise<readonly Integration[]> {
    return this.plane.inOrganisation(organisationId, (manager) => manager.getRepository(integrationEntity).find({ where: { organisationId }, order: { name: 'ASC', id: 'ASC' } }));
  }

  read(organisationId: string, id: string): Promise<Integration> {
    return this.plane.inOrganisation(organisationId, (manager) => found(manager, organisationId, id));
  }

  /** Under an Idempotency-Key the id is a function of the key: a repeat answers with what the first one made. */
  async create(organisationId: string, body: NewIntegrationBody, idempotencyKey: string | null, plan: Plan, enter: Enter<Integration>): Promise<Integration> {
    const settings = body.settings ?? {};
    this.refuseInvalid(body.provider, settings, body.credentials);
    const id = idUnder('integration', organisationId, idempotencyKey);
    return this.plane.inOrganisation(organisationId, async (manager) => {
      const repository = manager.getRepository(integrationEntity);
      const before = await repository.findOneBy({ organisationId, id });
      if (before !== null) {
        const made = sameRequest(before, body);
        await enter(manager, made, made);
        return made;
      }
      await refuseBeyond(plan, organisationId, manager);
      const credentials = body.credentials === undefined ? null : await this.seal(organisationId, id, body.credentials);
      const made = await repository.save(repository.create({ organisationId, id, provider: body.provider, name: body.name, settings, credentials, paused: false }));
      await enter(manager, null, made);
      return made;
    });
  }

  async update(organisationId: string, id: string, body: IntegrationBody, ifMatch: string | undefined, enter: Enter<Integration>): Promise<Integration> {
    const saved = await this.plane.inOrganisation(organisationId, async (manager) => {
      const before = await found(manager, organisationId, id);
      versionExpected({ ifMatch }, before.version);
      const settings = body.settings ?? before.settings;
      const credentials = body.credentials === undefined ? undefined : await this.unmasked(before, body.credentials);
      this.refuseInvalid(before.provider, settings, credentials);
      if (before.credentials !== null && !isWholeAnew(body.credentials)) refuseOtherOrigins(before, settings);
      const changes = { name: body.name ?? before.name, settings, credentials: credentials === undefined ? before.credentials : await this.seal(organisationId, id, credentials) };
      // Guarded by the version that was read: of two updates at once one is refused.
      const { affected } = await manager.getRepository(integrationEntity).update({ organisationId, id, version: before.version }, changes as object);
      if (affected !== 1) throw PreconditionFailed.because('somebody else saved this integration just now');
      const after = await found(manager, organisationId, id);
      await enter(manager, before, after);
      return after;
    });
    await this.plane.announce({ organisationId, kind: 'integration', id });
    return saved;
  }

  async remove(organisationId: string, id: string, enter: Enter<Integration>): Promise<void> {
    await this.plane.inOrganisation(organisationId, async (manager) => {
      const before = await found(manager, organisationId, id);
      const users = await chainsWith(manager, organisationId, id);
      if (users.length > 0) throw IntegrationInUse.because(users.join(', '));
      await manager.getRepository(integrationEntity).delete({ organisationId, id });
      await enter(manager, before, null);
    });
    await this.plane.announce({ organisationId, kind: 'integration', id });
  }

  async test(organisationId: string, id: string): Promise<CheckAnswer> {
    const integration = await this.read(organisationId, id);
    const credentials = await this.credentialsOf(integration);
    if (credentials === null && this.templateOf(integration.provider)?.credentials.some((field) => field.required) === true) throw IntegrationNotConnected.because(`testing ${integration.name}`);
    return this.checkConnection({ organisationId, integrationId: id, provider: integration.provider, settings: integration.settings, credentials: credentials ?? {} });
  }

  private refuseInvalid(provider: string, settings: Values, credentials: Values | undefined): void {
    const template = this.templateOf(provider);
    if (template === undefined) throw ProviderUnknown.because(provider);
    const unknown = [...unknownFields('settings', settings, template.settings.map((field) => field.name)).filter((problem) => !platformSetting.test(problem)), ...unknownFields('credentials', credentials ?? {}, template.credentials.map((field) => field.name))];
    // Without credentials in the request those in the vault stay, and were checked when they came.
    const isOfCredentials = (problem: string): boolean => template.credentials.some((field) => problem.startsWith(`${field.name}:`));
    const problems = [...unknown, ...this.catalogue.problems(provider, settings, credentials ?? {}).filter((problem) => credentials !== undefined || !isOfCredentials(problem))];
    if (problems.length > 0) throw IntegrationInvalid.because(problems.join('; '), { problems });
  }

  private async unmasked(before: Integration, given: Values): Promise<Values> {
    if (!Object.values(given).includes(mask)) return given;
    const old = (await this.credentialsOf(before)) ?? {};
    return Object.fromEntries(Object.entries(given).map(([name, value]) => [name, value === mask ? old[name] : value]));
  }

  /** Null: none were entered yet. */
  async credentialsOf(integration: Integration): Promise<Values | null> {
    if (integration.credentials === null) return null;
    return JSON.parse((await this.vault.open(integration.credentials, placeOfCredentials(integration.organisationId, integration.id))).toString('utf8')) as Values;
  }

  private seal(organisationId: string, id: string, credentials: Values): Promise<Buffer> {
    return this.vault.seal(JSON.stringify(credentials), placeOfCredentials(organisationId, id));
  }
}

function isWholeAnew(given: Values | undefined): boolean {
  return given !== undefined && !Object.values(given).includes(mask);
}

/** Whoever may change settings must not be sent the credentials that somebody else gave for another address. */
function refuseOtherOrigins({ provider: id, settings: before }: Integration, after: Values): void {
  const provider = providers.find((candidate) => candidate.id === id);
  if (provider === undefined) throw ProviderUnknown.because(id);
  const [was, is] = [originsOf(provider, before), originsOf(provider, after)];
  if (is.some((origin, index) => origin !== was[index])) throw CredentialsBound.because('the settings lead to another scheme, host or port than those that the credentials were given for');
}

/** One creation of an organisation at a time: two at once would both see room for one. */
async function refuseBeyond(plan: Plan, organisationId: string, manager: EntityManager): Promise<void> {
  await manager.query(`select pg_advisory_xact_lock(hashtextextended('integrations of ' || $1, 0))`, [organisationId]);
  const { integrations: limit } = plan.limits;
  if ((await manager.getRepository(integrationEntity).countBy({ organisationId })) < limit) return;
  throw PlanLimitReached.because(`the plan ${plan.name} includes ${limit} integrations`, { plan: plan.name, limit: { name: 'integrations', value: limit } });
}

async function found(manager: EntityManager, organisationId: string, id: string): Promise<Integration> {
  const integration = await manager.getRepository(integrationEntity).findOneBy({ organisationId, id });
  if (integration === null) throw NotFound.because(`integration ${id}`);
  return integration;
}

function sameRequest(before: Integration, body: NewIntegrationBody): Integration {
  if (before.provider !== body.provider || before.name !== body.name) throw IdempotencyReused.because('it made another integration');
  return before;
}

function unknownFields(where: string, given: Values, known: readonly string[]): readonly string[] {
  if (Object.keys(given).length > 100) throw RequestInvalid.because(`${where} has too many fields`);
  return Object.keys(given).filter((name) => !known.includes(name)).map((name) => `${where}.${name} is no field of this provider`);
}

/** Chains whose newest version has a step of this integration. */
async function chainsWith(manager: EntityManager, organisationId: string, integrationId: string): Promise<readonly string[]> {
  const rows: readonly { event_type: string }[] = await manager.query(
    `select event_type from (
       select distinct on (event_type, assistant_id) event_type, steps from chain_versions where organisation_id = $1 order by event_type, assistant_id, version desc
     ) newest where steps @> jsonb_build_array(jsonb_build_object('integrationId', $2::text)) order by event_type`,
    [organisationId, integrationId],
  );
  return rows.map((row) => row.event_type);
}
