import { Controller, Inject, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { holderOf } from '../edge/key-holder.js';
import { Needs } from '../edge/needs.js';
import { PublishService } from './publish.service.js';

@Controller('api/events')
export class EventsController {
  constructor(@Inject(PublishService) private readonly publishing: PublishService) {}

  @Post()
  @Needs('publish')
  async publish(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    const published = await this.publishing.publish({ headers: request.headers, body }, holderOf(request).organisationId);
    const type = published.status === 202 ? 'application/json; charset=utf-8' : 'application/problem+json; charset=utf-8';
    await reply.code(published.status).header('content-type', type).send(JSON.stringify(published.body));
  }
}
