import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { actorOf, type Caller, type Identity, isPermission, type People, SessionMissing, Unauthenticated } from '@trunkline/identity';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { KeyMissing, PeopleOnly, ScopeMissing } from './errors.js';
import { refuseForgery } from './forgery.js';
import { type Holder, rememberArrival, rememberHolder, rememberPerson } from './holder.js';
import { type Need, needsKey } from './need.js';
import { RequestLimits } from './request-limits.js';
import { Cookies, SiteAddress } from './session-cookie.js';

export const identity = Symbol('identity');
export const peopleToken = Symbol('people');
export const openIdToken = Symbol('openid sign-in');

/** Lets a request through when who sent it, by API key or by session, has the permission its operation names. */
@Injectable()
export class AccessGuard implements CanActivate {
  constructor(
    @Inject(Reflector) private readonly reflector: Reflector,
    @Inject(identity) private readonly identity: Pick<Identity, 'recallApiKey' | 'verifyApiKey'>,
    @Inject(peopleToken) private readonly people: Pick<People, 'sessions'>,
    @Inject(RequestLimits) private readonly limits: RequestLimits,
    @Inject(Cookies) private readonly cookies: Cookies,
    @Inject(SiteAddress) private readonly site: SiteAddress,
  ) {}

  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const need = this.reflector.getAllAndOverride<Need | undefined>(needsKey, [context.getHandler(), context.getClass()]);
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    rememberArrival(request);
    if (need === 'nobody') return this.open(request, reply);
    const key = presentedKey(request);
    if (key === null) return this.bySession(need, request, reply);
    // A key that was checked a moment ago is the hot path: nothing is waited for.
    const caller = this.identity.recallApiKey(key);
    return caller === null ? this.byUnknownKey(need, key, request, reply) : this.byKey(need, caller, request, reply);
  }

  private async open(request: FastifyRequest, reply: FastifyReply): Promise<boolean> {
    refuseForgery(request, this.site, null);
    await this.limits.admitStranger(request.ip, reply);
    return true;
  }

  /** Guessing keys is paid for by the address, before the database is asked. */
  private async byUnknownKey(need: Need | undefined, key: string, request: FastifyRequest, reply: FastifyReply): Promise<boolean> {
    this.limits.refuseSpentAddress(request.ip, reply);
    const caller = await this.identity.verifyApiKey(key).catch(async (error: unknown) => {
      if (Unauthenticated.matches(error)) await this.limits.admitStranger(request.ip, reply);
      throw error;
    });
    return this.byKey(need, caller, request, reply);
  }

  private byKey(need: Need | undefined, caller: Caller, request: FastifyRequest, reply: FastifyReply): boolean | Promise<boolean> {
    const { organisationId, keyId, permissions, plan } = caller;
    if (need === 'signed-in') throw PeopleOnly.because('an API key is not a person');
    return this.let(need, { organisationId, plan, actor: { kind: 'key', keyId, organisationId, permissions, address: request.ip } }, request, reply);
  }

  private async bySession(need: Need | undefined, request: FastifyRequest, reply: FastifyReply): Promise<boolean> {
    const token = this.cookies.sessionOf(request);
    if (token === null) {
      await this.limits.admitStranger(request.ip, reply);
      throw KeyMissing.because('the request carries neither a key nor a session');
    }
    refuseForgery(request, this.site, token);
    this.limits.refuseSpentAddress(request.ip, reply);
    const signedIn = await this.people.sessions.find(token);
    if (signedIn === null) {
      await this.limits.admitStranger(request.ip, reply);
      throw SessionMissing.because('the session has ended');
    }
    rememberPerson(request, { signedIn, token });
    const actor = actorOf(signedIn, request.ip);
    if (actor === null || signedIn.membership === null) {
      if (need === 'signed-in') return true;
      throw ScopeMissing.because('you belong to no organisation');
    }
    return this.let(need, { organisationId: actor.organisationId, plan: signedIn.membership.plan, actor }, request, reply);
  }

  private let(need: Need | undefined, holder: Holder, request: FastifyRequest, reply: FastifyReply): boolean | Promise<boolean> {
    if (need !== 'signed-in' && (need === undefined || !isPermission(need) || !holder.actor.permissions.has(need))) throw ScopeMissing.because(`this needs the permission ${need ?? 'that nobody has'}`);
    rememberHolder(request, holder);
    return this.limits.admit(holder, reply);
  }
}

/** An Authorization header decides alone, so that two credentials in one request cannot mean two things; null: neither header is there. */
function presentedKey(request: FastifyRequest): string | null {
  const { authorization } = request.headers;
  const own = request.headers['x-api-key'];
  if (authorization !== undefined) return /^Bearer +(\S+)$/i.exec(authorization)?.[1] ?? '';
  if (own === undefined) return null;
  return typeof own === 'string' ? own : '';
}
