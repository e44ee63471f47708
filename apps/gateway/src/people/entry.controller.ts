import { Body, Controller, HttpCode, Inject, Post, Req, Res, UsePipes } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { type People, SetupClosed } from '@trunkline/identity';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { PeopleTrail } from '../audit/people-trail.js';
import { bodyCheck } from '../control/body-check.js';
import { peopleToken } from '../edge/access.guard.js';
import { RequestInvalid } from '../edge/errors.js';
import { Needs } from '../edge/needs.js';
import { Cookies } from '../edge/session-cookie.js';
import { placeOf } from './place.js';
import { sessionView } from './session.controller.js';
import { AcceptBody, SetupBody } from './session.dto.js';

/** The two ways in for somebody who has no account yet; each asks for a token that was shown once. */
@ApiTags('session')
@Controller('api')
@UsePipes(bodyCheck)
export class EntryController {
  constructor(
    @Inject(peopleToken) private readonly people: People,
    @Inject(Cookies) private readonly cookies: Cookies,
    @Inject(PeopleTrail) private readonly trail: PeopleTrail,
  ) {}

  @Post('setup')
  @HttpCode(201)
  @Needs('nobody')
  @ApiOperation({ summary: 'Make the first owner, with the token that the gateway printed when it started', description: 'Once: afterwards owners invite others. Signs the owner in.' })
  async setUp(@Req() request: FastifyRequest, @Body() body: SetupBody, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const { organisation, organisation_id: organisationId } = body;
    if ((organisation === undefined) === (organisationId === undefined)) throw RequestInvalid.because('give either organisation, the name of a new one, or organisation_id');
    if (!/^tsu_[A-Za-z0-9_-]{43}$/.test(body.token)) throw SetupClosed.because('it has not the form of one');
    const owner = { email: body.email, name: body.name, password: body.password, organisation: organisationId === undefined ? { name: organisation ?? '' } : { id: organisationId.toLowerCase() } };
    const made = await this.people.setup.complete(body.token, owner);
    await this.trail.tell(request, { organisationId: made.organisationId, userId: made.userId, action: 'setup:complete', after: { user: made.userId, role: 'owner' } });
    return this.signedIn(request, reply, made.userId, made.organisationId, 'setup');
  }

  @Post('invitations/accept')
  @HttpCode(201)
  @Needs('nobody')
  @ApiOperation({ summary: 'Accept an invitation', description: 'Makes the account if the invited address has none, else asks for its password. Signs in.' })
  async accept(@Req() request: FastifyRequest, @Body() body: AcceptBody, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const { account, invitation } = await this.people.invitations.acceptWithPassword(body.token, body, request.ip).catch((error: unknown) => {
      this.trail.acceptanceRefused(request, body.token, error);
      throw error;
    });
    await this.trail.tell(request, { organisationId: invitation.organisationId, userId: account.id, action: 'invitations:accept', before: { invitation: invitation.id }, after: { user: account.id, role: invitation.role, method: 'password' } });
    return this.signedIn(request, reply, account.id, invitation.organisationId, 'invitation');
  }

  private async signedIn(request: FastifyRequest, reply: FastifyReply, userId: string, organisationId: string, method: 'setup' | 'invitation'): Promise<unknown> {
    const token = await this.people.sessions.open(userId, method, placeOf(request), { organisationId, replaces: this.cookies.sessionOf(request) ?? undefined });
    this.cookies.setSession(request, reply, token);
    const signedIn = await this.people.sessions.find(token);
    return signedIn === null ? null : sessionView(signedIn, token);
  }
}
