import { type DynamicModule, Module } from '@nestjs/common';
import type { AuditTrail } from '@trunkline/audit';
import { type ActionCatalogue, actionCatalogue } from '@trunkline/connectors';
import type { EventLog } from '@trunkline/event-log';
import type { Outbound } from '@trunkline/outbound';
import type { Databases } from '@trunkline/storage';
import type { Vault } from '@trunkline/vault';
import { AuditController, auditTrail } from './audit/audit.controller.js';
import { PeopleTrail } from './audit/people-trail.js';
import { checkExpressions } from './control/chains/check-expressions.js';
import { ChainsController } from './control/chains/chains.controller.js';
import { ChainsService } from './control/chains/chains.service.js';
import { Connecting } from './control/connecting/connecting.js';
import { ConnectingController } from './control/connecting/connecting.controller.js';
import { OAuthCallbackController } from './control/connecting/oauth-callback.controller.js';
import type { ControlPlane } from './control/control-plane.js';
import { DeadLettersController } from './control/dead-letters/dead-letters.controller.js';
import { EventTypesController } from './control/event-types/event-types.controller.js';
import type { CheckConnection } from './control/integrations/check-connection.js';
import { heldSteps } from './control/integrations/held-steps.js';
import { IntegrationViews } from './control/integrations/integration-views.js';
import { IntegrationsController } from './control/integrations/integrations.controller.js';
import { IntegrationsService } from './control/integrations/integrations.service.js';
import type { LedgerVerbs } from '@trunkline/ledger';
import { RunsController } from './control/runs/runs.controller.js';
import { consumerGroups as consumerGroupsToken, controlPlane as controlPlaneToken, eventLog as eventLogToken, ledgerVerbs } from './control/tokens.js';
import { TopicsController } from './control/topics/topics.controller.js';
import { DocumentsController } from './documents/documents.controller.js';
import { OpenApi } from './documents/open-api.js';
import { type AccessWiring, accessProviders } from './edge/access-wiring.js';
import { RequestLimits } from './edge/request-limits.js';
import { EntryController } from './people/entry.controller.js';
import { KeysController } from './people/keys.controller.js';
import { OpenIdController } from './people/openid.controller.js';
import { OrganisationController } from './people/organisation.controller.js';
import { PeopleController } from './people/people.controller.js';
import { SessionController } from './people/session.controller.js';
import { EventTypes } from './publish/event-types.js';
import { EventsController } from './publish/events.controller.js';
import type { OldBacklog } from './publish/old-backlog.js';
import { PublishService } from './publish/publish.service.js';
import { SharedAppends } from './publish/shared-appends.js';

export interface GatewayWiring {
  readonly databases: Pick<Databases, 'tenant' | 'system'>;
  readonly eventLog: EventLog;
  readonly access: AccessWiring;
  readonly plane: ControlPlane;
  readonly vault: Vault;
  readonly audit: Pick<AuditTrail, 'list' | 'newest'>;
  readonly peopleTrail: PeopleTrail;
  readonly verbs: LedgerVerbs;
  readonly checkConnection: CheckConnection;
  readonly outbound: Pick<Outbound, 'request'>;
  readonly consumerGroups: readonly string[];
  readonly answerWithinMs: number;
  readonly backlog: Pick<OldBacklog, 'holds'>;
  readonly catalogue?: ActionCatalogue;
}

const appendLimits = { appendRecords: 500, waitingBytes: 64 * 1024 * 1024, silenceMs: 10_000 };

@Module({})
export class GatewayModule {
  static over(wiring: GatewayWiring): DynamicModule {
    const { databases, eventLog, access, plane, vault, verbs, catalogue = actionCatalogue } = wiring;
    const types = new EventTypes(databases);
    const integrations = new IntegrationsService(plane, vault, catalogue, wiring.checkConnection);
    const connecting = new Connecting({ databases, vault, outbound: wiring.outbound, integrations, plane });
    const limits = new RequestLimits(access.limiter, access.strangerRequestsPerMinute);
    return {
      module: GatewayModule,
      controllers: [EventsController, EventTypesController, RunsController, DeadLettersController, ChainsController, IntegrationsController, ConnectingController, OAuthCallbackController, TopicsController, OrganisationController, PeopleController, KeysController, SessionController, OpenIdController, EntryController, AuditController, DocumentsController],
      providers: [
        ...accessProviders(access, limits),
        OpenApi,
        { provide: controlPlaneToken, useValue: plane },
        { provide: eventLogToken, useValue: eventLog },
        { provide: consumerGroupsToken, useValue: wiring.consumerGroups },
        { provide: ledgerVerbs, useValue: verbs },
        { provide: auditTrail, useValue: wiring.audit },
        { provide: PeopleTrail, useValue: wiring.peopleTrail },
        { provide: EventTypes, useValue: types },
        { provide: PublishService, useValue: new PublishService(types, new SharedAppends(eventLog, appendLimits), wiring.backlog, wiring.answerWithinMs) },
        { provide: ChainsService, useValue: new ChainsService(plane, types, catalogue, checkExpressions) },
        { provide: IntegrationsService, useValue: integrations },
        { provide: IntegrationViews, useValue: new IntegrationViews({ integrations, catalogue, heldOf: (organisationId, id) => heldSteps(databases, organisationId, id), grantsOf: (organisationId) => connecting.grantsOf(organisationId) }) },
        { provide: Connecting, useValue: connecting },
      ],
    };
  }
}
