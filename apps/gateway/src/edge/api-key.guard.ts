import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { ApiKeys } from './api-keys.js';
import { KeyMissing, KeyRefused, ScopeMissing } from './errors.js';
import { rememberHolder } from './key-holder.js';
import { type Scope, needsKey } from './needs.js';

const longestKey = 200;

/** Lets a request through when its API key has the scope its operation names; `admin` has every scope. */
@Injectable()
export class ApiKeyGuard implements CanActivate {
  constructor(
    @Inject(Reflector) private readonly reflector: Reflector,
    @Inject(ApiKeys) private readonly keys: ApiKeys,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const needed = this.reflector.getAllAndOverride<Scope | 'nobody' | undefined>(needsKey, [context.getHandler(), context.getClass()]);
    if (needed === 'nobody') return true;
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const holder = await this.keys.holderOf(presentedKey(request));
    if (needed === undefined || !(holder.scopes.includes(needed) || holder.scopes.includes('admin'))) throw ScopeMissing.because(`this needs the scope ${needed ?? 'nobody has'}`);
    rememberHolder(request, holder);
    return true;
  }
}

function presentedKey(request: FastifyRequest): string {
  const { authorization } = request.headers;
  const own = request.headers['x-api-key'];
  const key = authorization === undefined ? own : /^Bearer +(\S+)$/i.exec(authorization)?.[1];
  if (authorization === undefined && own === undefined) throw KeyMissing.because('the request carries no key');
  if (typeof key !== 'string' || !key.startsWith('tl_') || key.length > longestKey) throw KeyRefused.because('the key does not have the form tl_…');
  return key;
}
