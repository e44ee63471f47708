import { Controller, Get, Inject, Req } from '@nestjs/common';
import { ApiOperation, ApiSecurity, ApiTags } from '@nestjs/swagger';
import { integrationEntity, organisationEntity } from '@trunkline/storage';
import type { FastifyRequest } from 'fastify';
import type { ControlPlane } from '../control/control-plane.js';
import { controlPlane } from '../control/tokens.js';
import { holderOf } from '../edge/holder.js';
import { Needs } from '../edge/needs.js';

@ApiTags('organisation')
@ApiSecurity('key')
@ApiSecurity('session')
@Controller('api/organisation')
export class OrganisationController {
  constructor(@Inject(controlPlane) private readonly plane: Pick<ControlPlane, 'inOrganisation'>) {}

  @Get()
  @Needs('organisation:read')
  @ApiOperation({ summary: 'The organisation with its plan, what the plan includes, and what is used of it' })
  async show(@Req() request: FastifyRequest): Promise<unknown> {
    const { organisationId, plan } = holderOf(request);
    const { name, integrations } = await this.plane.inOrganisation(organisationId, async (manager) => ({
      name: (await manager.getRepository(organisationEntity).findOneByOrFail({ id: organisationId })).name,
      integrations: await manager.getRepository(integrationEntity).countBy({ organisationId }),
    }));
    const { limits } = plan;
    return {
      id: organisationId,
      name,
      plan: plan.name,
      limits: { integrations: limits.integrations, events_per_minute: limits.eventsPerMinute, requests_per_minute: limits.requestsPerMinute, key_requests_per_minute: limits.keyRequestsPerMinute, retention_days: limits.retentionDays },
      used: { integrations },
    };
  }
}
