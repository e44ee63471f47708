import { type CallHandler, type ExecutionContext, Inject, Injectable, type NestInterceptor } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { isPermission } from '@trunkline/identity';
import type { FastifyRequest } from 'fastify';
import { catchError, concatMap, from, map, type Observable, throwError } from 'rxjs';
import { changeOf } from './change.js';
import { type Effect, type EffectListener, isEntered, rememberDraft } from './effect.js';
import { registered } from './problem.js';
import { holderOf } from './holder.js';
import { type Need, needsKey } from './need.js';

export type { Effect, EffectListener } from './effect.js';
const done = 'done';

export const effectListener = Symbol('effect listener');

/** The one place every effect of an actor passes: `Needs` puts it on each operation that does more than read. */
@Injectable()
export class EffectInterceptor implements NestInterceptor {
  constructor(
    @Inject(Reflector) private readonly reflector: Reflector,
    @Inject(effectListener) private readonly listener: EffectListener,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const permission = this.reflector.getAllAndOverride<Need | undefined>(needsKey, [context.getHandler(), context.getClass()]) ?? '';
    if (!isPermission(permission)) return next.handle();
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const effect = (outcome: string): Effect => ({
      actor: holderOf(request).actor,
      permission,
      route: `${request.method} ${request.routeOptions.url ?? ''}`,
      parameters: { ...(request.params as Record<string, string>) },
      requestId: String(request.id),
      outcome,
      change: changeOf(request),
      // A transaction that failed took its entry back with it. What fails after its commit (giving a grant back, reading the view to answer with) is told besides: the trail then says `done`, and next the code.
      isEntered: outcome === done && isEntered(request),
    });
    rememberDraft(request, (change) => ({ ...effect(done), change }));
    const tell = async (outcome: string): Promise<void> => this.listener(effect(outcome));
    return next.handle().pipe(
      catchError((error: unknown) => from(tell(registered(error).code)).pipe(concatMap(() => throwError(() => error)))),
      concatMap((answer) => from(tell(done)).pipe(map(() => answer))),
    );
  }
}
