import { Controller, Get, Inject, Query, Req, UsePipes } from '@nestjs/common';
import { ApiOperation, ApiSecurity, ApiTags } from '@nestjs/swagger';
import type { AuditTrail, StoredEntry } from '@trunkline/audit';
import type { FastifyRequest } from 'fastify';
import { bodyCheck } from '../control/body-check.js';
import { holderOf } from '../edge/holder.js';
import { Needs } from '../edge/needs.js';
import { AuditQuery } from './audit.dto.js';

export const auditTrail = Symbol('audit trail');

@ApiTags('audit')
@ApiSecurity('key')
@ApiSecurity('session')
@Controller('api/audit')
@UsePipes(bodyCheck)
export class AuditController {
  constructor(@Inject(auditTrail) private readonly trail: Pick<AuditTrail, 'list' | 'newest'>) {}

  @Get()
  @Needs('audit:read')
  @ApiOperation({ summary: 'Who did what, newest first', description: 'Each entry carries the SHA-256 over the hash before it, the organisation, its number and `content`; `trunkline audit verify` checks them all. With `after` the oldest come first.' })
  async list(@Req() request: FastifyRequest, @Query() { limit, before, after }: AuditQuery): Promise<unknown> {
    const { organisationId } = holderOf(request);
    const entries = after === undefined ? await this.trail.newest(organisationId, { beforeSeq: before ?? null, limit }) : await this.trail.list(organisationId, { afterSeq: after, limit });
    return { organisation_id: organisationId, entries: entries.map(entryView), next: entries.length < limit ? null : (entries.at(-1)?.seq ?? null) };
  }
}

function entryView({ seq, content, hash }: StoredEntry): Record<string, unknown> {
  return { seq, ...(JSON.parse(content) as Record<string, unknown>), hash, content };
}
