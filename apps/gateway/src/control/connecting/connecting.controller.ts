import { Body, Controller, HttpCode, Inject, Param, Post, Req, UsePipes } from '@nestjs/common';
import { ApiOperation, ApiSecurity, ApiTags } from '@nestjs/swagger';
import type { AlongWithGrant } from '@trunkline/grants';
import type { FastifyRequest } from 'fastify';
import { entering } from '../../audit/audit-listener.js';
import { holderOf } from '../../edge/holder.js';
import { Needs } from '../../edge/needs.js';
import { SiteAddress } from '../../edge/session-cookie.js';
import { bodyCheck } from '../body-check.js';
import { IntegrationViews } from '../integrations/integration-views.js';
import { checkedId } from '../uuid.js';
import { Connecting } from './connecting.js';
import { ConfirmationBody } from './connecting.dto.js';
import { PublicUrlMissing } from './errors.js';
import { standingView } from './standing-view.js';

@ApiTags('integrations')
@ApiSecurity('key')
@Controller('api/integrations/:id')
@UsePipes(bodyCheck)
export class ConnectingController {
  constructor(
    @Inject(Connecting) private readonly connecting: Connecting,
    @Inject(IntegrationViews) private readonly views: IntegrationViews,
    @Inject(SiteAddress) private readonly site: SiteAddress,
  ) {}

  @Post('connect')
  @HttpCode(200)
  @Needs('integrations:connect')
  @ApiOperation({ summary: 'Begin to connect by signing in at the provider', description: 'Send a browser to `authorization_url`; it comes back to `callback_url`, which has to be entered at the provider. Begun with an API key, it is finished by `POST …/connect/confirm` with the code that the browser shows.' })
  async begin(@Req() request: FastifyRequest, @Param('id') id: string): Promise<unknown> {
    const callbackUrl = (provider: string): string => {
      if (!this.site.isCertain(request)) throw PublicUrlMissing.because('the callback address would be what the request says of itself');
      return new URL(`/oauth/callback/${provider}`, this.site.originFor(request)).href;
    };
    let callback = '';
    const { url, expiresAt, needsConfirmation } = await this.connecting.begin(holderOf(request).actor, checkedId(id, 'integration'), (provider) => (callback = callbackUrl(provider)));
    return { authorization_url: url, callback_url: callback, expires_at: expiresAt.toISOString(), confirm: needsConfirmation };
  }

  @Post('connect/confirm')
  @HttpCode(200)
  @Needs('integrations:connect')
  @ApiOperation({ summary: 'Finish what was begun with this API key, by the code that the browser shows' })
  async confirm(@Req() request: FastifyRequest, @Param('id') id: string, @Body() { code }: ConfirmationBody): Promise<unknown> {
    await this.connecting.confirm(holderOf(request).actor, checkedId(id, 'integration'), code, this.entering(request));
    return this.views.read(holderOf(request).organisationId, checkedId(id, 'integration'));
  }

  @Post('disconnect')
  @HttpCode(200)
  @Needs('integrations:connect')
  @ApiOperation({ summary: 'Forget the tokens and give the grant back to the provider', description: 'Work for the integration is held until somebody connects it again. `revoked_at_provider` false: end it there by hand.' })
  async disconnect(@Req() request: FastifyRequest, @Param('id') id: string): Promise<unknown> {
    const { isRevokedThere } = await this.connecting.disconnect(holderOf(request).actor, checkedId(id, 'integration'), this.entering(request));
    const view = await this.views.read(holderOf(request).organisationId, checkedId(id, 'integration'));
    return { ...view, revoked_at_provider: isRevokedThere };
  }

  private entering(request: FastifyRequest): AlongWithGrant {
    return entering(request, standingView);
  }
}
