import { Controller, Inject, Post, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiSecurity, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { arrivalOf, holderOf } from '../edge/holder.js';
import { Needs } from '../edge/needs.js';
import { RequestLimits } from '../edge/request-limits.js';
import { PublishService } from './publish.service.js';

const event = { $ref: '#/components/schemas/CloudEvent' };
const eventContent = { 'application/cloudevents+json': { schema: event }, 'application/json': { schema: event }, 'application/cloudevents-batch+json': { schema: { type: 'array', items: event } } };
const accepted = {
  type: 'object',
  required: ['receipts', 'refused'],
  properties: {
    receipts: { type: 'array', items: { $ref: '#/components/schemas/Receipt' } },
    refused: { type: 'array', items: { type: 'object', required: ['index', 'problem'], properties: { index: { type: 'integer' }, problem: { $ref: '#/components/schemas/Problem' } } } },
  },
};

/** The hot path: a guard and nothing else between socket and service. */
@ApiTags('events')
@ApiSecurity('key')
@Controller('api/events')
export class EventsController {
  constructor(
    @Inject(PublishService) private readonly publishing: PublishService,
    @Inject(RequestLimits) private readonly limits: RequestLimits,
  ) {}

  @Post()
  @Needs('events:publish')
  @ApiOperation({
    summary: 'Publish one CloudEvent (structured or binary) or a batch',
    description: 'Answered once the events are durable. No Idempotency-Key is needed: a repeat of source and id gets the same receipt and does nothing twice. After 503 repeat the whole request.',
    requestBody: { required: true, content: eventContent } as never,
  })
  @ApiResponse({ status: 202, description: 'At least one event is durable; `refused` names the others by index.', content: { 'application/json': { schema: accepted as never } } })
  @ApiResponse({ status: 402, description: 'The plan includes no more events in this minute: nothing was taken. Repeat the whole request after Retry-After.' })
  @ApiResponse({ status: 413, description: 'A body over 1 MB (not read), or one event over 256 KB.' })
  @ApiResponse({ status: 415, description: 'Another content type.' })
  async publish(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    const holder = holderOf(request);
    const published = await this.publishing.publish({ headers: request.headers, body }, holder.organisationId, arrivalOf(request), (events) => this.limits.admitEvents(holder, events));
    const type = published.status === 202 ? 'application/json; charset=utf-8' : 'application/problem+json; charset=utf-8';
    await reply.code(published.status).header('content-type', type).send(JSON.stringify(published.body));
  }
}
