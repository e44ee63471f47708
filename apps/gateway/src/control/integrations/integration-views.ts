import type { ActionCatalogue, ProviderTemplate } from '@trunkline/connectors';
import type { GrantView } from '@trunkline/grants';
import type { Integration } from '@trunkline/storage';
import { integrationView } from './integration-view.js';
import type { IntegrationsService } from './integrations.service.js';

export interface IntegrationViewsParts {
  readonly integrations: Pick<IntegrationsService, 'read'>;
  readonly catalogue: Pick<ActionCatalogue, 'templates'>;
  readonly heldOf: (organisationId: string, integrationId: string) => Promise<number>;
  readonly grantsOf: (organisationId: string) => Promise<readonly GrantView[]>;
}

/** Integrations as the API shows them, with what people granted for them. */
export class IntegrationViews {
  constructor(private readonly parts: IntegrationViewsParts) {}

  async read(organisationId: string, id: string): Promise<Record<string, unknown>> {
    return this.withHeld(await this.parts.integrations.read(organisationId, id));
  }

  /** Counted for one integration only: an organisation may have much work waiting. */
  async withHeld(integration: Integration): Promise<Record<string, unknown>> {
    const [view, held] = await Promise.all([this.of(integration), this.parts.heldOf(integration.organisationId, integration.id)]);
    return { ...view, held };
  }

  async of(integration: Integration): Promise<Record<string, unknown>> {
    const [view = {}] = await this.ofAll(integration.organisationId, [integration]);
    return view;
  }

  async ofAll(organisationId: string, integrations: readonly Integration[]): Promise<readonly Record<string, unknown>[]> {
    const grants = new Map((await this.parts.grantsOf(organisationId)).map((grant) => [grant.integrationId, grant]));
    return integrations.map((integration) => integrationView(integration, this.templateOf(integration.provider), grants.get(integration.id)));
  }

  private templateOf(provider: string): ProviderTemplate | undefined {
    return this.parts.catalogue.templates().find((template) => template.provider === provider);
  }
}
