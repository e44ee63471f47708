import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Req, UsePipes } from '@nestjs/common';
import { ApiOperation, ApiSecurity, ApiTags } from '@nestjs/swagger';
import { AboveYou, actorName, type ApiKeySummary, holdsAll, type Identity, NotYours, permissionsOfScopes } from '@trunkline/identity';
import type { FastifyRequest } from 'fastify';
import { bodyCheck } from '../control/body-check.js';
import { identity as identityToken } from '../edge/access.guard.js';
import { rememberChange } from '../edge/change.js';
import { NotFound, RequestInvalid } from '../edge/errors.js';
import { holderOf } from '../edge/holder.js';
import { Needs } from '../edge/needs.js';
import { NewKeyBody, RotationBody } from './people.dto.js';

type Keys = Pick<Identity, 'createApiKey' | 'listApiKeys' | 'revokeApiKey' | 'rotateApiKey'>;

/** API keys of the organisation. A key itself is shown once, when it is made. */
@ApiTags('keys')
@ApiSecurity('key')
@ApiSecurity('session')
@Controller('api/keys')
@UsePipes(bodyCheck)
export class KeysController {
  constructor(@Inject(identityToken) private readonly keys: Keys) {}

  @Get()
  @Needs('keys:read')
  @ApiOperation({ summary: 'The API keys of the organisation, never the keys themselves' })
  async list(@Req() request: FastifyRequest): Promise<unknown> {
    return { keys: (await this.keys.listApiKeys(holderOf(request).organisationId)).map(keyView) };
  }

  @Post()
  @HttpCode(201)
  @Needs('keys:manage')
  @ApiOperation({ summary: 'Make an API key', description: '`api_key` is shown this once; only its hash is kept. Nobody makes a key that may more than they themselves.' })
  async create(@Req() request: FastifyRequest, @Body() body: NewKeyBody): Promise<unknown> {
    const { organisationId, actor } = holderOf(request);
    if (!holdsAll(actor, permissionsOfScopes(body.scopes))) throw NotYours.because(`the scopes ${body.scopes.join(', ').slice(0, 300)}`);
    const expiresAt = body.expires_at === undefined ? undefined : new Date(body.expires_at);
    if (expiresAt !== undefined && expiresAt.getTime() <= Date.now()) throw RequestInvalid.because('expires_at is in the past');
    const made = await this.keys.createApiKey({ organisationId, name: body.name, scopes: body.scopes, expiresAt, by: actorName(actor) });
    const view = { id: made.keyId, name: body.name, prefix: made.prefix, scopes: body.scopes, expires_at: expiresAt?.toISOString() ?? null };
    rememberChange(request, { before: null, after: view });
    return { ...view, api_key: made.apiKey };
  }

  @Post(':id/rotate')
  @HttpCode(201)
  @Needs('keys:manage')
  @ApiOperation({ summary: 'Make a new key in place of one', description: 'Same name and scopes; the old one goes on for the overlap. `api_key` is shown this once.' })
  async rotate(@Req() request: FastifyRequest, @Param('id') id: string, @Body() body: RotationBody): Promise<unknown> {
    const { organisationId, actor } = holderOf(request);
    const old = (await this.keys.listApiKeys(organisationId)).find(({ keyId }) => keyId === id);
    if (old !== undefined && !holdsAll(actor, permissionsOfScopes(old.scopes))) throw NotYours.because(`the scopes ${old.scopes.join(', ')}`);
    const made = await this.keys.rotateApiKey({ organisationId, keyId: checkedKeyId(id), overlapMs: body.overlap_seconds * 1_000, by: actorName(actor) });
    const view = { id: made.keyId, prefix: made.prefix, replaces: id };
    rememberChange(request, { before: { id }, after: view });
    return { ...view, api_key: made.apiKey };
  }

  @Delete(':id')
  @HttpCode(204)
  @Needs('keys:manage')
  @ApiOperation({ summary: 'Revoke a key', description: 'Other gateways may accept it for up to 30 seconds, though not to invite anybody. Open invitations that were sent with it are withdrawn; the audit entry names them. Nobody revokes a key that may more than they themselves.' })
  async revoke(@Req() request: FastifyRequest, @Param('id') id: string): Promise<void> {
    const { organisationId, actor } = holderOf(request);
    const before = (await this.keys.listApiKeys(organisationId)).find(({ keyId }) => keyId === id);
    // What a key may never changes, so this holds until it is revoked.
    if (before !== undefined && !holdsAll(actor, permissionsOfScopes(before.scopes))) throw AboveYou.because(`key ${id} has the scopes ${before.scopes.join(', ')}`);
    const { withdrawnInvitations } = await this.keys.revokeApiKey({ organisationId, keyId: checkedKeyId(id) });
    rememberChange(request, { before: before === undefined ? null : keyView(before), after: withdrawnInvitations.length === 0 ? null : { withdrawn_invitations: withdrawnInvitations } });
  }
}

function checkedKeyId(id: string): string {
  if (!/^[0-9a-f]{16}$/.test(id)) throw NotFound.because(`API key ${id.slice(0, 100)}`);
  return id;
}

function keyView(key: ApiKeySummary): Record<string, unknown> {
  return {
    id: key.keyId,
    name: key.name,
    prefix: key.prefix,
    scopes: key.scopes,
    created_at: key.createdAt.toISOString(),
    created_by: key.createdBy,
    replaces: key.replaces,
    expires_at: key.expiresAt?.toISOString() ?? null,
    revoked_at: key.revokedAt?.toISOString() ?? null,
    last_used_at: key.lastUsedAt?.toISOString() ?? null,
  };
}
