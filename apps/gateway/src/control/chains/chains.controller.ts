import { Body, Controller, Get, Headers, HttpCode, Inject, Param, Post, Put, Query, Req, Res, UsePipes } from '@nestjs/common';
import { ApiHeader, ApiOperation, ApiSecurity, ApiTags } from '@nestjs/swagger';
import type { PlannedStep } from '@trunkline/chain';
import { EventInvalid, attributeProblem } from '@trunkline/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { holderOf } from '../../edge/holder.js';
import { Needs } from '../../edge/needs.js';
import { entering } from '../../audit/audit-listener.js';
import { bodyCheck } from '../body-check.js';
import { entityTag } from '../entity-tag.js';
import type { ChainName } from './chain-store.js';
import { ChainBody, ChainQuery } from './chains.dto.js';
import { ChainsService } from './chains.service.js';

@ApiTags('chains')
@ApiSecurity('key')
@Controller('api/chains')
@UsePipes(bodyCheck)
export class ChainsController {
  constructor(@Inject(ChainsService) private readonly chains: ChainsService) {}

  @Get(':eventType')
  @Needs('chains:read')
  @ApiOperation({ summary: 'The chain of an event type in its newest version', description: 'Its ETag is what a PUT sends back in If-Match.' })
  async read(@Req() request: FastifyRequest, @Param('eventType') eventType: string, @Query() query: ChainQuery, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const chain = nameOf(request, eventType, query);
    const found = await this.chains.read(chain);
    reply.header('etag', entityTag(found.version));
    return chainView(chain, found);
  }

  @Put(':eventType')
  @Needs('chains:write')
  @ApiOperation({ summary: 'Check a chain and make it a new version', description: 'In force for events appended from `valid_from` on; runs already planned keep theirs.' })
  @ApiHeader({ name: 'if-match', required: false, description: 'ETag of the version this change is based on; needed unless there is none yet.' })
  @ApiHeader({ name: 'if-none-match', required: false, description: '`*`: only if there is no chain yet.' })
  async save(
    @Req() request: FastifyRequest,
    @Param('eventType') eventType: string,
    @Query() query: ChainQuery,
    @Body() body: ChainBody,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Headers('if-match') ifMatch?: string,
    @Headers('if-none-match') ifNoneMatch?: string,
  ): Promise<unknown> {
    const chain = nameOf(request, eventType, query);
    const saved = await this.chains.save(chain, body, { ifMatch, ifNoneMatch }, entering(request, (version) => ('steps' in version ? chainView(chain, version) : version)));
    reply.header('etag', entityTag(saved.version));
    return chainView(chain, saved);
  }

  @Post(':eventType/check')
  @HttpCode(200)
  @Needs('chains:read')
  @ApiOperation({ summary: 'Say what a PUT of this chain would refuse, without saving' })
  async check(@Req() request: FastifyRequest, @Param('eventType') eventType: string, @Query() query: ChainQuery, @Body() body: ChainBody): Promise<unknown> {
    const { steps, problems } = await this.chains.check(nameOf(request, eventType, query), body);
    return { valid: problems.length === 0, problems, steps: steps.map(stepView) };
  }
}

function nameOf(request: FastifyRequest, eventType: string, { assistant }: ChainQuery): ChainName {
  const problem = attributeProblem({ id: '-', source: '-', type: eventType, subject: null });
  if (problem !== null) throw EventInvalid.because(problem);
  return { organisationId: holderOf(request).organisationId, eventType, assistantId: assistant };
}

function chainView(chain: ChainName, version: { readonly version: number; readonly validFrom: Date; readonly steps: readonly PlannedStep[] }): Record<string, unknown> {
  return { event_type: chain.eventType, assistant: chain.assistantId === '' ? null : chain.assistantId, version: version.version, valid_from: version.validFrom.toISOString(), steps: version.steps.map(stepView) };
}

/** Only what a PUT takes back. */
function stepView(step: PlannedStep): Record<string, unknown> {
  return {
    id: step.id,
    name: step.name,
    integration: step.integrationId,
    priority: step.priority,
    action: step.action,
    condition: step.condition,
    input: step.input,
    on_failure: step.onFailure,
    timeout_ms: step.timeoutMs,
    retry: { attempts: step.retry.attempts, backoff_ms: step.retry.backoffMs, max_backoff_ms: step.retry.maxBackoffMs },
    ordering: step.ordering,
  };
}
