import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Identity } from '@trunkline/identity';
import type { FastifyRequest } from 'fastify';
import { KeyMissing, ScopeMissing } from './errors.js';
import { rememberArrival, rememberHolder } from './key-holder.js';
import { type Scope, needsKey } from './needs.js';

export const identity = Symbol('identity');

/** Lets a request through when its API key has the scope its operation names; `admin` has every scope. */
@Injectable()
export class ApiKeyGuard implements CanActivate {
  constructor(
    @Inject(Reflector) private readonly reflector: Reflector,
    @Inject(identity) private readonly identity: Pick<Identity, 'verifyApiKey'>,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const needed = this.reflector.getAllAndOverride<Scope | 'nobody' | undefined>(needsKey, [context.getHandler(), context.getClass()]);
    if (needed === 'nobody') return true;
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    rememberArrival(request);
    const holder = await this.identity.verifyApiKey(presentedKey(request));
    if (needed === undefined || !(holder.scopes.includes(needed) || holder.scopes.includes('admin'))) throw ScopeMissing.because(`this needs the scope ${needed ?? 'nobody has'}`);
    rememberHolder(request, holder);
    return true;
  }
}

/** An Authorization header decides alone, so that two keys in one request cannot mean two things. */
function presentedKey(request: FastifyRequest): string {
  const { authorization } = request.headers;
  const own = request.headers['x-api-key'];
  if (authorization === undefined && own === undefined) throw KeyMissing.because('the request carries no key');
  if (authorization !== undefined) return /^Bearer +(\S+)$/i.exec(authorization)?.[1] ?? '';
  return typeof own === 'string' ? own : '';
}
