import { type DynamicModule, Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import type { EventLog } from '@trunkline/event-log';
import type { Databases } from '@trunkline/storage';
import { ApiKeyGuard } from './edge/api-key.guard.js';
import { ApiKeys, type VerifyKey } from './edge/api-keys.js';
import { EventTypes } from './publish/event-types.js';
import { EventsController } from './publish/events.controller.js';
import { PublishService } from './publish/publish.service.js';
import { SharedAppends } from './publish/shared-appends.js';

export interface GatewayWiring {
  readonly databases: Databases;
  readonly eventLog: EventLog;
  readonly verifyKey: VerifyKey;
  readonly answerWithinMs: number;
}

const appendLimits = { appendRecords: 500, waitingBytes: 64 * 1024 * 1024 };

@Module({})
export class GatewayModule {
  static over({ databases, eventLog, verifyKey, answerWithinMs }: GatewayWiring): DynamicModule {
    const types = new EventTypes(databases);
    return {
      module: GatewayModule,
      controllers: [EventsController],
      providers: [
        { provide: APP_GUARD, useClass: ApiKeyGuard },
        { provide: ApiKeys, useValue: new ApiKeys(verifyKey) },
        { provide: EventTypes, useValue: types },
        { provide: PublishService, useValue: new PublishService(types, new SharedAppends(eventLog, appendLimits), answerWithinMs) },
      ],
    };
  }
}
