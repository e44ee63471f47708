import { type Provider, providers as registered } from '@trunkline/connectors';
import { type AlongWithGrant, type ConnectedParts, disconnect, grantsOf, grantToGiveBack, type GrantView, type SignIn, SignInOfAnother, SignInRefused, SignIns } from '@trunkline/grants';
import { type Actor, actorName } from '@trunkline/identity';
import { type Outbound, startDeadline } from '@trunkline/outbound';
import type { Databases, Integration } from '@trunkline/storage';
import type { Vault } from '@trunkline/vault';
import type { ControlPlane } from '../control-plane.js';
import { IntegrationNotConnected, ProviderUnknown } from '../integrations/errors.js';
import type { IntegrationsService } from '../integrations/integrations.service.js';

const reachableWithinMs = 10_000;

export interface Begun {
  readonly url: string;
  readonly expiresAt: Date;
  /** Whoever began it without a browser has to enter the code that the browser is shown. */
  readonly needsConfirmation: boolean;
}

/** How the browser's return ended. */
export type Arrival =
  | { readonly kind: 'connected'; readonly provider: string; readonly organisationId: string; readonly integrationId: string }
  | { readonly kind: 'to-confirm'; readonly provider: string; readonly code: string };

export interface ConnectingParts {
  readonly databases: Pick<Databases, 'tenant'>;
  readonly vault: Vault;
  readonly outbound: Pick<Outbound, 'request'>;
  readonly integrations: Pick<IntegrationsService, 'read' | 'credentialsOf'>;
  readonly plane: Pick<ControlPlane, 'announce'>;
  readonly providers?: readonly Provider[];
}

/** Connects integrations by a person's sign-in at the provider, and lets go of them again. */
export class Connecting {
  private readonly signIns: SignIns;
  private readonly providers: ReadonlyMap<string, Provider>;

  constructor(private readonly parts: ConnectingParts) {
    this.signIns = new SignIns(parts.databases, parts.vault);
    this.providers = new Map((parts.providers ?? registered).map((provider) => [provider.id, provider]));
  }

  async begin(actor: Actor, integrationId: string, redirectUriOf: (provider: string) => string): Promise<Begun> {
    const integration = await this.parts.integrations.read(actor.organisationId, integrationId);
    const sessionId = actor.kind === 'user' ? actor.sessionId : null;
    const { url, expiresAt } = await this.signIns.begin(await this.partsOf(integration), { startedBy: actorName(actor), sessionId, redirectUri: redirectUriOf(integration.provider) });
    return { url: url.href, expiresAt, needsConfirmation: sessionId === null };
  }

  /** Where the sign-in belongs, before anything is done with it. */
  take(query: URLSearchParams, provider: string): Promise<SignIn> {
    return this.signIns.take(query.get('state') ?? '', provider);
  }

  /** The callback is a link like any other: who follows it must be who began, in the browser in which they did. */
  async arrive(signIn: SignIn, query: URLSearchParams, actor: Actor | null, along?: AlongWithGrant): Promise<Arrival> {
    const provider = this.providers.get(signIn.provider)?.name ?? signIn.provider;
    if (signIn.sessionId === null) {
      if (query.has('error')) throw SignInRefused.because(said(query));
      return { kind: 'to-confirm', provider, code: await this.signIns.awaitConfirmation(signIn, query) };
    }
    if (actor?.kind !== 'user' || actor.sessionId !== signIn.sessionId || actor.organisationId !== signIn.organisationId || actorName(actor) !== signIn.startedBy) throw SignInOfAnother.because('this browser is not signed in here as the person who began it, for the same organisation');
    if (!actor.permissions.has('integrations:connect')) throw SignInOfAnother.because('you may no longer connect integrations');
    await this.finish(signIn, query, along);
    return { kind: 'connected', provider, organisationId: signIn.organisationId, integrationId: signIn.integrationId };
  }

  async confirm(actor: Actor, integrationId: string, code: string, along?: AlongWithGrant): Promise<void> {
    // Another organisation's is not found, whatever the code.
    await this.parts.integrations.read(actor.organisationId, integrationId);
    const { signIn, query } = await this.signIns.confirmed(actor.organisationId, integrationId, actorName(actor), code);
    await this.finish(signIn, query, along);
  }

  async disconnect(actor: Actor, integrationId: string, along?: AlongWithGrant): Promise<{ readonly isRevokedThere: boolean }> {
    const { organisationId } = actor;
    const outcome = await disconnect(this.parts, await this.partsOf(await this.parts.integrations.read(organisationId, integrationId)), along);
    await this.parts.plane.announce({ organisationId, kind: 'integration', id: integrationId });
    return outcome;
  }

  /** Before an integration is deleted: what to do once it is, so that nothing of ours stays good at the provider. */
  async farewell(organisationId: string, integrationId: string): Promise<() => Promise<void>> {
    const giveBack = await grantToGiveBack(this.parts, organisationId, integrationId);
    if (giveBack === null) return () => Promise.resolve();
    const integration = await this.partsOf(await this.parts.integrations.read(organisationId, integrationId));
    return async () => void (await giveBack(integration));
  }

  grantsOf(organisationId: string): Promise<readonly GrantView[]> {
    return grantsOf(this.parts.databases, organisationId);
  }

  private async finish(signIn: SignIn, query: URLSearchParams, along: AlongWithGrant | undefined): Promise<void> {
    const integration = await this.partsOf(await this.parts.integrations.read(signIn.organisationId, signIn.integrationId));
    await this.signIns.finish(signIn, query, integration, (address) => this.isReachable(address), along);
    await this.parts.plane.announce({ organisationId: signIn.organisationId, kind: 'integration', id: signIn.integrationId });
  }

  /** Asked without a credential; what answers does not matter, where it stands does. */
  private async isReachable(address: URL): Promise<boolean> {
    const exchange = await this.parts.outbound.request({ method: 'HEAD', url: address, headers: {}, body: null, deadline: startDeadline(reachableWithinMs) });
    return exchange.kind === 'answered' || exchange.reason !== 'address-refused';
  }

  private async partsOf(integration: Integration): Promise<ConnectedParts> {
    const provider = this.providers.get(integration.provider);
    if (provider === undefined) throw ProviderUnknown.because(integration.provider);
    const credentials = await this.parts.integrations.credentialsOf(integration);
    if (credentials === null) throw IntegrationNotConnected.because(`connecting ${integration.name} needs the client's id and secret`);
    return { organisationId: integration.organisationId, integrationId: integration.id, version: integration.version, provider, settings: integration.settings, credentials, send: (request) => this.parts.outbound.request(request), nowMs: Date.now };
  }
}

/** The provider's words about why not (RFC 6749 §4.1.2.1). */
function said(query: URLSearchParams): string {
  return [query.get('error'), query.get('error_description')].filter((part) => part !== null).join(': ').replaceAll(/[^\u0020-\u007e\u00a0-\uffff]+/g, ' ').slice(0, 300);
}
