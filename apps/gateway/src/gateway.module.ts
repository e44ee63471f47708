import { type DynamicModule, Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import type { EventLog } from '@trunkline/event-log';
import type { Identity } from '@trunkline/identity';
import type { Databases } from '@trunkline/storage';
import { ApiKeyGuard, identity as identityToken } from './edge/api-key.guard.js';
import { EventTypes } from './publish/event-types.js';
import { EventsController } from './publish/events.controller.js';
import { PublishService } from './publish/publish.service.js';
import { SharedAppends } from './publish/shared-appends.js';

export interface GatewayWiring {
  readonly databases: Databases;
  readonly eventLog: EventLog;
  readonly identity: Pick<Identity, 'verifyApiKey'>;
  readonly answerWithinMs: number;
}

const appendLimits = { appendRecords: 500, waitingBytes: 64 * 1024 * 1024 };

@Module({})
export class GatewayModule {
  static over({ databases, eventLog, identity, answerWithinMs }: GatewayWiring): DynamicModule {
    const types = new EventTypes(databases);
    return {
      module: GatewayModule,
      controllers: [EventsController],
      providers: [
        { provide: APP_GUARD, useClass: ApiKeyGuard },
        { provide: identityToken, useValue: identity },
        { provide: EventTypes, useValue: types },
        { provide: PublishService, useValue: new PublishService(types, new SharedAppends(eventLog, appendLimits), answerWithinMs) },
      ],
    };
  }
}
