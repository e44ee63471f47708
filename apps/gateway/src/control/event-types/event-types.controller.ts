import { Controller, Get, Inject, Req } from '@nestjs/common';
import { ApiOperation, ApiSecurity, ApiTags } from '@nestjs/swagger';
import { builtInEventSchemas, builtInEventTypes, eventTopicOf } from '@trunkline/contracts';
import type { FastifyRequest } from 'fastify';
import { holderOf } from '../../edge/holder.js';
import { Needs } from '../../edge/needs.js';
import { EventTypes } from '../../publish/event-types.js';

@ApiTags('events')
@ApiSecurity('key')
@Controller('api/event-types')
export class EventTypesController {
  constructor(@Inject(EventTypes) private readonly types: EventTypes) {}

  @Get()
  @Needs('event-types:read')
  @ApiOperation({ summary: 'The event types this organisation may publish, each built-in one with the JSON Schema of its data' })
  async list(@Req() request: FastifyRequest): Promise<unknown> {
    const custom = await this.types.customTypesOf(holderOf(request).organisationId);
    return {
      event_types: [
        ...builtInEventTypes.map((type) => ({ type, built_in: true, topic: eventTopicOf(type), schema: builtInEventSchemas[type] })),
        ...custom.map((type) => ({ type, built_in: false, topic: eventTopicOf(type), schema: null })),
      ],
    };
  }
}
