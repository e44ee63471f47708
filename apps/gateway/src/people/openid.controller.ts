import { Body, Controller, Get, HttpCode, Inject, Post, Req, Res, UsePipes } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { OpenIdSignIn, People } from '@trunkline/identity';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { PeopleTrail } from '../audit/people-trail.js';
import { bodyCheck } from '../control/body-check.js';
import { openIdToken, peopleToken } from '../edge/access.guard.js';
import { RouteUnknown } from '../edge/errors.js';
import { Needs } from '../edge/needs.js';
import { Cookies, SiteAddress } from '../edge/session-cookie.js';
import { placeOf } from './place.js';
import { OpenIdStartBody } from './session.dto.js';

const callbackPath = '/api/session/openid/callback';
const browserCookie = 'trunkline_openid';
const browserCookieSeconds = 600;

/** Signing in with the operator's OpenID provider, where one is configured. */
@ApiTags('session')
@Controller('api/session')
@UsePipes(bodyCheck)
export class OpenIdController {
  constructor(
    @Inject(openIdToken) private readonly openId: OpenIdSignIn | null,
    @Inject(peopleToken) private readonly people: Pick<People, 'sessions'>,
    @Inject(Cookies) private readonly cookies: Cookies,
    @Inject(SiteAddress) private readonly site: SiteAddress,
    @Inject(PeopleTrail) private readonly trail: PeopleTrail,
  ) {}

  @Get('methods')
  @Needs('nobody')
  @ApiOperation({ summary: 'How people can sign in here' })
  methods(): unknown {
    return { password: true, openid: this.openId !== null };
  }

  @Post('openid')
  @HttpCode(200)
  @Needs('nobody')
  @ApiOperation({ summary: 'Begin to sign in with the OpenID provider', description: 'The page sends the browser to `url`; the provider sends it back to /api/session/openid/callback. 404 where no provider is configured.' })
  async start(@Req() request: FastifyRequest, @Body() body: OpenIdStartBody, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const { url, browserToken } = await this.configured().start({ redirectUri: this.callback(request).href, returnTo: body.return_to, invitationToken: body.invitation ?? null });
    this.cookies.write(request, reply, browserCookie, browserToken, browserCookieSeconds);
    return { url };
  }

  @Get('openid/callback')
  @Needs('nobody')
  @ApiOperation({ summary: 'Where the OpenID provider sends the browser back to', description: 'Signs in and goes on to the page the sign-in began from.' })
  async finish(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const callback = this.callback(request);
    callback.search = new URL(request.url, callback).search;
    const arrival = await this.configured().finish(callback, this.cookies.read(request, browserCookie));
    const token = await this.people.sessions.open(arrival.account.id, 'openid', placeOf(request), { organisationId: arrival.organisationId ?? undefined, replaces: this.cookies.sessionOf(request) ?? undefined });
    const signedIn = await this.people.sessions.find(token);
    const after = { method: 'openid', session: signedIn?.sessionId ?? null };
    const organisationId = signedIn?.membership?.organisationId ?? null;
    // Somebody invited comes in for the first time with it: one entry says both.
    await this.trail.tell(request, { organisationId, userId: arrival.account.id, action: arrival.organisationId === null ? 'session:sign-in' : 'invitations:accept', after: { ...after, ...(arrival.organisationId === null ? {} : { user: arrival.account.id, role: signedIn?.membership?.role ?? null }) } });
    this.cookies.write(request, reply, browserCookie, '', 0);
    this.cookies.setSession(request, reply, token);
    await reply.code(303).header('location', arrival.returnTo).send();
  }

  /** Our own address, not what the callback says of itself. */
  private callback(request: FastifyRequest): URL {
    return new URL(callbackPath, this.site.originFor(request));
  }

  private configured(): OpenIdSignIn {
    if (this.openId === null) throw RouteUnknown.because('no OpenID provider is configured');
    return this.openId;
  }
}
