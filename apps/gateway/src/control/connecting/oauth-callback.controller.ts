import { Controller, Get, Inject, Param, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { TrunklineError } from '@trunkline/contracts';
import type { AlongWithGrant, GrantStanding, SignIn } from '@trunkline/grants';
import { type Actor, actorOf, type People } from '@trunkline/identity';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { peopleToken } from '../../edge/access.guard.js';
import { enterEffect } from '../../audit/audit-listener.js';
import { type Effect, effectListener, type EffectListener } from '../../edge/effect.interceptor.js';
import { Needs } from '../../edge/needs.js';
import { registered } from '../../edge/problem.js';
import { Cookies } from '../../edge/session-cookie.js';
import { callbackHeaders, callbackPage, problemPage } from './callback-page.js';
import { type Arrival, Connecting } from './connecting.js';
import { standingView } from './standing-view.js';

const route = 'GET /oauth/callback/:provider';

/** Where providers send browsers back to: a path for each, so that one's answer cannot be taken for another's (RFC 9700 §4.4). */
@ApiTags('integrations')
@Controller('oauth/callback')
export class OAuthCallbackController {
  constructor(
    @Inject(Connecting) private readonly connecting: Connecting,
    @Inject(peopleToken) private readonly people: Pick<People, 'sessions'>,
    @Inject(Cookies) private readonly cookies: Cookies,
    @Inject(effectListener) private readonly onEffect: EffectListener,
  ) {}

  /** Open, since what it may do is decided by the sign-in that its state names, and by the session of the browser that brings it. */
  @Get(':provider')
  @Needs('nobody')
  @ApiOperation({ summary: 'Where a provider sends the browser back to after a sign-in', description: 'Answers with a plain page. It connects the integration only in the browser, and for the person, that began; begun with an API key, it shows the code to confirm with.' })
  async arrive(@Req() request: FastifyRequest, @Param('provider') provider: string, @Res() reply: FastifyReply): Promise<void> {
    try {
      const page = pageOf(await this.handle(request, provider));
      await reply.code(200).headers(callbackHeaders).send(page);
    } catch (error) {
      const problem = registered(error);
      // What is ours is logged, and told, as everywhere.
      if (problem.definition.class === 'bug') throw error;
      await reply.code(problem.definition.http).headers(callbackHeaders).send(problemPage(problem));
    }
  }

  private async handle(request: FastifyRequest, provider: string): Promise<Arrival> {
    const query = new URL(request.url, 'http://callback').searchParams;
    const actor = await this.whoever(request);
    const signIn = await this.connecting.take(query, provider);
    try {
      const done = { effect: null as Effect | null };
      const arrival = await this.connecting.arrive(signIn, query, actor, this.entering(request, signIn, actor, (effect) => (done.effect = effect)));
      if (done.effect !== null) await this.onEffect({ ...done.effect, isEntered: true });
      return arrival;
    } catch (error) {
      await this.tell(request, signIn, actor, error instanceof TrunklineError ? error.code : 'gateway.internal');
      throw error;
    }
  }

  /** SameSite=Lax lets the cookie come along: the provider sends the browser here as a whole page, by GET. */
  private async whoever(request: FastifyRequest): Promise<Actor | null> {
    const token = this.cookies.sessionOf(request);
    const signedIn = token === null ? null : await this.people.sessions.find(token);
    return signedIn === null ? null : actorOf(signedIn, request.ip);
  }

  /** The entry is written by the transaction that connects. */
  private entering(request: FastifyRequest, signIn: SignIn, actor: Actor | null, remember: (effect: Effect) => void): AlongWithGrant {
    return async (transaction, before: GrantStanding | null, after: GrantStanding) => {
      const effect = this.effectOf(request, signIn, actor, 'done');
      if (effect === null) return;
      const told = { ...effect, change: { before: before === null ? null : standingView(before), after: standingView(after) } };
      await enterEffect(transaction, told);
      remember(told);
    };
  }

  private async tell(request: FastifyRequest, signIn: SignIn, actor: Actor | null, outcome: string): Promise<void> {
    const effect = this.effectOf(request, signIn, actor, outcome);
    if (effect !== null) await this.onEffect(effect);
  }

  /** For the trail of the organisation whose integration it is about, if the person belongs to it. */
  private effectOf(request: FastifyRequest, signIn: SignIn, actor: Actor | null, outcome: string): Effect | null {
    if (actor === null || actor.organisationId !== signIn.organisationId) return null;
    return { actor, permission: 'integrations:connect', route, parameters: { id: signIn.integrationId }, requestId: String(request.id), outcome, change: null, isEntered: false };
  }
}

function pageOf(arrival: Arrival): string {
  if (arrival.kind === 'connected') return callbackPage(`${arrival.provider} is connected`, ['Work that waited for it goes on by itself. You can close this page.']);
  return callbackPage(`One more step for ${arrival.provider}`, [
    `Enter this code where you began: ${arrival.code}`,
    'It is good for ten minutes. If you did not begin this yourself, give it to nobody and close this page: nothing has been connected.',
  ]);
}
