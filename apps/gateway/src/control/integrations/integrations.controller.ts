import { Body, Controller, Delete, Get, Headers, HttpCode, Inject, Param, Post, Put, Req, Res, UsePipes } from '@nestjs/common';
import { ApiHeader, ApiOperation, ApiSecurity, ApiTags } from '@nestjs/swagger';
import type { Integration } from '@trunkline/storage';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { NotFound } from '../../edge/errors.js';
import { holderOf } from '../../edge/holder.js';
import { Needs } from '../../edge/needs.js';
import { bodyCheck } from '../body-check.js';
import { type Enter, entering } from '../../audit/audit-listener.js';
import { rememberChange } from '../../edge/change.js';
import { entityTag } from '../entity-tag.js';
import { checkedIdempotencyKey } from '../idempotency.js';
import type { LedgerVerbs } from '@trunkline/ledger';
import { ledgerVerbs } from '../tokens.js';
import { Connecting } from '../connecting/connecting.js';
import { checkedId } from '../uuid.js';
import { ProviderUnknown } from './errors.js';
import { integrationView } from './integration-view.js';
import { IntegrationViews } from './integration-views.js';
import { IntegrationBody, NewIntegrationBody } from './integrations.dto.js';
import { IntegrationsService } from './integrations.service.js';

@ApiTags('integrations')
@ApiSecurity('key')
@Controller('api/integrations')
@UsePipes(bodyCheck)
export class IntegrationsController {
  constructor(
    @Inject(IntegrationsService) private readonly integrations: IntegrationsService,
    @Inject(ledgerVerbs) private readonly verbs: LedgerVerbs,
    @Inject(IntegrationViews) private readonly views: IntegrationViews,
    @Inject(Connecting) private readonly connecting: Connecting,
  ) {}

  @Get('templates')
  @Needs('integrations:read')
  @ApiOperation({ summary: 'All provider templates: fields to fill in, actions with their inputs' })
  templates(): unknown {
    return { templates: this.integrations.templates() };
  }

  @Get('templates/:provider')
  @Needs('integrations:read')
  @ApiOperation({ summary: 'One provider template' })
  template(@Param('provider') provider: string): unknown {
    const template = this.integrations.templateOf(provider);
    if (template === undefined) throw ProviderUnknown.because(provider.slice(0, 100));
    return template;
  }

  @Get('org/:org_id')
  @Needs('integrations:read')
  @ApiOperation({ summary: "The organisation's integrations; credentials are masked" })
  async list(@Req() request: FastifyRequest, @Param('org_id') organisation: string): Promise<unknown> {
    const own = ownOrganisation(request, organisation);
    return { integrations: await this.views.ofAll(own, await this.integrations.list(own)) };
  }

  @Post('org/:org_id')
  @HttpCode(201)
  @Needs('integrations:write')
  @ApiOperation({ summary: 'Create an integration', description: '402 when the plan includes no more; the problem names `plan` and `limit`.' })
  @ApiHeader({ name: 'idempotency-key', required: false, description: 'A repeat under the same key answers with the integration the first one made.' })
  async create(@Req() request: FastifyRequest, @Param('org_id') organisation: string, @Body() body: NewIntegrationBody, @Res({ passthrough: true }) reply: FastifyReply, @Headers('idempotency-key') key?: string): Promise<unknown> {
    const integration = await this.integrations.create(ownOrganisation(request, organisation), body, checkedIdempotencyKey(key), holderOf(request).plan, this.entering(request));
    reply.header('location', `/api/integrations/${integration.id}`);
    return this.tagged(reply, integration);
  }

  @Post('process-queue')
  @HttpCode(200)
  @Needs('integrations:process-queue')
  @ApiOperation({ summary: 'Make every deferred or parked item of the organisation due now', description: 'Those parked as unknown or ambiguous excepted: a person settles them. Answers with counts.' })
  async processQueue(@Req() request: FastifyRequest): Promise<unknown> {
    const counts = await this.verbs.processQueue(holderOf(request).organisationId);
    rememberChange(request, { before: null, after: { counts } });
    return { counts };
  }

  @Get(':id')
  @Needs('integrations:read')
  @ApiOperation({ summary: 'One integration; credentials are masked', description: '`held`: how many steps wait for it, at most 100,000 are counted.' })
  async read(@Req() request: FastifyRequest, @Param('id') id: string, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const integration = await this.integrations.read(holderOf(request).organisationId, checkedId(id, 'integration'));
    reply.header('etag', entityTag(integration.version));
    return this.views.withHeld(integration);
  }

  @Put(':id')
  @Needs('integrations:write')
  @ApiOperation({ summary: 'Update an integration; fields not sent stay as they are' })
  @ApiHeader({ name: 'if-match', required: true, description: 'ETag of what this change is based on.' })
  async update(@Req() request: FastifyRequest, @Param('id') id: string, @Body() body: IntegrationBody, @Res({ passthrough: true }) reply: FastifyReply, @Headers('if-match') ifMatch?: string): Promise<unknown> {
    const { organisationId } = holderOf(request);
    return this.tagged(reply, await this.integrations.update(organisationId, checkedId(id, 'integration'), body, ifMatch, this.entering(request)));
  }

  @Delete(':id')
  @HttpCode(204)
  @Needs('integrations:write')
  @ApiOperation({ summary: 'Delete an integration that no chain uses any more' })
  async remove(@Req() request: FastifyRequest, @Param('id') id: string): Promise<void> {
    const { organisationId } = holderOf(request);
    const farewell = await this.connecting.farewell(organisationId, checkedId(id, 'integration'));
    await this.integrations.remove(organisationId, checkedId(id, 'integration'), this.entering(request));
    await farewell();
  }

  @Post(':id/test')
  @HttpCode(200)
  @Needs('integrations:test')
  @ApiOperation({ summary: "Test the connection: really calls the provider's cheap checks" })
  async test(@Req() request: FastifyRequest, @Param('id') id: string): Promise<unknown> {
    const { isGood, findings } = await this.integrations.test(holderOf(request).organisationId, checkedId(id, 'integration'));
    rememberChange(request, { before: null, after: { ok: isGood } });
    return { ok: isGood, checks: findings.map((finding) => ({ shows: finding.shows, ok: finding.isGood, problem: finding.problem })) };
  }

  @Post(':id/pause')
  @HttpCode(200)
  @Needs('integrations:hold')
  @ApiOperation({ summary: 'Hold the work of an integration; nothing is lost, its steps stay ready' })
  async pause(@Req() request: FastifyRequest, @Param('id') id: string): Promise<unknown> {
    return this.held(request, id, 'pause');
  }

  @Post(':id/resume')
  @HttpCode(200)
  @Needs('integrations:hold')
  @ApiOperation({ summary: 'Let the held work of an integration go on' })
  async resume(@Req() request: FastifyRequest, @Param('id') id: string): Promise<unknown> {
    return this.held(request, id, 'resume');
  }

  /** Masked, as the API shows it, but without what a provider granted: that is another table's. */
  private entering(request: FastifyRequest): Enter<Integration> {
    return entering(request, (integration) => {
      const { authorization: _, ...shown } = integrationView(integration, this.integrations.templateOf(integration.provider));
      return shown;
    });
  }

  private async held(request: FastifyRequest, id: string, verb: 'pause' | 'resume'): Promise<unknown> {
    const { organisationId } = holderOf(request);
    await this.verbs[verb](organisationId, checkedId(id, 'integration'), entering<{ readonly paused: boolean }>(request, (standing) => standing));
    return this.views.read(organisationId, checkedId(id, 'integration'));
  }

  private tagged(reply: FastifyReply, integration: Integration): Promise<Record<string, unknown>> {
    reply.header('etag', entityTag(integration.version));
    return this.views.of(integration);
  }
}

/** The organisation is the key's; another one in the path is not found, whether it exists or not. */
function ownOrganisation(request: FastifyRequest, organisation: string): string {
  const own = holderOf(request).organisationId;
  if (checkedId(organisation, 'organisation') !== own) throw NotFound.because(`organisation ${organisation}`);
  return own;
}
