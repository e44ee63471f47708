import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Put, Req, Res, UsePipes } from '@nestjs/common';
import { ApiOperation, ApiSecurity, ApiTags } from '@nestjs/swagger';
import { csrfTokenOf, type Membership, PasswordUnfit, type People, type SignedIn } from '@trunkline/identity';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { PeopleTrail, type PersonalAct } from '../audit/people-trail.js';
import { bodyCheck } from '../control/body-check.js';
import { checkedId } from '../control/uuid.js';
import { peopleToken } from '../edge/access.guard.js';
import { NotFound } from '../edge/errors.js';
import { personOf } from '../edge/holder.js';
import { Needs } from '../edge/needs.js';
import { Cookies } from '../edge/session-cookie.js';
import { placeOf } from './place.js';
import { OrganisationChoice, PasswordBody, SignInBody } from './session.dto.js';

/** Signing in and out, and what people decide about themselves. The cookie is HttpOnly; pages send the `csrf_token` back in x-csrf-token. */
@ApiTags('session')
@ApiSecurity('session')
@Controller('api/session')
@UsePipes(bodyCheck)
export class SessionController {
  constructor(
    @Inject(peopleToken) private readonly people: People,
    @Inject(Cookies) private readonly cookies: Cookies,
    @Inject(PeopleTrail) private readonly trail: PeopleTrail,
  ) {}

  @Post()
  @HttpCode(200)
  @Needs('nobody')
  @ApiOperation({ summary: 'Sign in with e-mail address and password', description: 'Always makes a new session, sent as a cookie; one that was there ends. An unknown account and a wrong password get the same answer.' })
  async signIn(@Req() request: FastifyRequest, @Body() body: SignInBody, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const account = await this.people.accounts.signIn(body, request.ip).catch((error: unknown) => {
      this.trail.signInRefused(request, body.email, error);
      throw error;
    });
    const token = await this.people.sessions.open(account.id, 'password', placeOf(request), { replaces: this.cookies.sessionOf(request) ?? undefined });
    const signedIn = await this.people.sessions.find(token);
    if (signedIn !== null) await this.tell(request, signedIn, 'session:sign-in', { after: { method: 'password', session: signedIn.sessionId } });
    this.cookies.setSession(request, reply, token);
    return signedIn === null ? null : sessionView(signedIn, token);
  }

  @Get()
  @Needs('signed-in')
  @ApiOperation({ summary: 'Who is signed in, as what, and the token that changes need' })
  show(@Req() request: FastifyRequest): unknown {
    const { signedIn, token } = personOf(request);
    return sessionView(signedIn, token);
  }

  @Delete()
  @HttpCode(204)
  @Needs('signed-in')
  @ApiOperation({ summary: 'Sign out' })
  async signOut(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<void> {
    const { signedIn, token } = personOf(request);
    await this.people.sessions.end(token);
    await this.tell(request, signedIn, 'session:sign-out', { before: { session: signedIn.sessionId } });
    this.cookies.clearSession(request, reply);
  }

  @Get('organisations')
  @Needs('signed-in')
  @ApiOperation({ summary: 'The organisations the signed-in person belongs to' })
  async organisations(@Req() request: FastifyRequest): Promise<unknown> {
    const memberships = await this.people.sessions.memberships(personOf(request).signedIn.userId);
    return { organisations: memberships.map(membershipView) };
  }

  @Put('organisation')
  @Needs('signed-in')
  @ApiOperation({ summary: 'Turn the session to another organisation of the same person' })
  async turn(@Req() request: FastifyRequest, @Body() { organisation_id: organisationId }: OrganisationChoice): Promise<unknown> {
    const { signedIn, token } = personOf(request);
    const membership = await this.people.sessions.turnTo(signedIn, organisationId.toLowerCase());
    await this.tell(request, { ...signedIn, membership }, 'session:turn', { before: { organisation: signedIn.membership?.organisationId ?? null }, after: { organisation: membership.organisationId } });
    return sessionView({ ...signedIn, membership }, token);
  }

  @Put('password')
  @Needs('signed-in')
  @ApiOperation({ summary: 'Change the own password', description: 'Ends every other session of the person and gives this one a new token.' })
  async changePassword(@Req() request: FastifyRequest, @Body() body: PasswordBody, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const { signedIn, token: old } = personOf(request);
    await this.people.accounts.changePassword(signedIn, body.current_password, body.new_password, request.ip).catch(async (error: unknown) => {
      if (PasswordUnfit.matches(error)) await this.tell(request, signedIn, 'account:password', { outcome: error.code });
      throw error;
    });
    await this.people.sessions.endOthers(signedIn.userId, signedIn.sessionId);
    const token = await this.people.sessions.open(signedIn.userId, 'password', placeOf(request), { replaces: old, organisationId: signedIn.membership?.organisationId });
    await this.tell(request, signedIn, 'account:password', {});
    this.cookies.setSession(request, reply, token);
    return this.view(token);
  }

  @Get('all')
  @Needs('signed-in')
  @ApiOperation({ summary: 'Every session of the signed-in person: since when, from where' })
  async list(@Req() request: FastifyRequest): Promise<unknown> {
    const { userId, sessionId } = personOf(request).signedIn;
    const sessions = await this.people.sessions.list(userId);
    return { sessions: sessions.map(({ id, method, address, browser, createdAt, usedAt }) => ({ id, method, address, browser, created_at: createdAt.toISOString(), used_at: usedAt.toISOString(), is_this: id === sessionId })) };
  }

  @Delete('all')
  @HttpCode(200)
  @Needs('signed-in')
  @ApiOperation({ summary: 'End every session of the signed-in person but this one' })
  async endOthers(@Req() request: FastifyRequest): Promise<unknown> {
    const { signedIn } = personOf(request);
    const ended = await this.people.sessions.endOthers(signedIn.userId, signedIn.sessionId);
    await this.tell(request, signedIn, 'session:end', { after: { ended } });
    return { ended };
  }

  @Delete('all/:id')
  @HttpCode(204)
  @Needs('signed-in')
  @ApiOperation({ summary: 'End one session of the signed-in person' })
  async endOne(@Req() request: FastifyRequest, @Param('id') id: string): Promise<void> {
    const { signedIn } = personOf(request);
    const isEnded = await this.people.sessions.endOne(signedIn.userId, checkedId(id, 'session'));
    if (!isEnded) throw NotFound.because(`session ${id}`);
    await this.tell(request, signedIn, 'session:end', { before: { session: id.toLowerCase() }, after: { ended: 1 } });
  }

  private tell(request: FastifyRequest, { userId, membership }: Pick<SignedIn, 'userId' | 'membership'>, action: PersonalAct['action'], rest: Pick<PersonalAct, 'outcome' | 'before' | 'after'>): Promise<void> {
    return this.trail.tell(request, { organisationId: membership?.organisationId ?? null, userId, action, ...rest });
  }

  private async view(token: string): Promise<unknown> {
    const signedIn = await this.people.sessions.find(token);
    return signedIn === null ? null : sessionView(signedIn, token);
  }
}

export function sessionView(signedIn: SignedIn, token: string): Record<string, unknown> {
  const { userId, email, name, hasPassword, membership } = signedIn;
  return {
    user: { id: userId, email, name, has_password: hasPassword },
    ...(membership === null ? { organisation: null, role: null, permissions: [] } : { ...membershipView(membership), permissions: [...membership.permissions] }),
    csrf_token: csrfTokenOf(token),
  };
}

function membershipView({ organisationId, organisation, role, plan }: Membership): Record<string, unknown> {
  return { organisation: { id: organisationId, name: organisation, plan: plan.name }, role };
}
