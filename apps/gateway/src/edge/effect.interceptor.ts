import { type CallHandler, type ExecutionContext, Inject, Injectable, type NestInterceptor } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { type Actor, isPermission, type PermissionName } from '@trunkline/identity';
import type { FastifyRequest } from 'fastify';
import { catchError, concatMap, from, map, type Observable, throwError } from 'rxjs';
import { type Change, changeOf } from './change.js';
import { registered } from './problem.js';
import { holderOf } from './holder.js';
import { type Need, needsKey } from './need.js';

/** Something somebody did, or tried and was refused after the guard let them in. */
export interface Effect {
  readonly actor: Actor;
  readonly permission: PermissionName;
  /** The route's template, never the address as it was sent. */
  readonly route: string;
  /** What it was done to: the ids in the address. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly requestId: string;
  /** `done`, or the code of the error it was refused with. */
  readonly outcome: string;
  /** Null where the operation has none to tell of. */
  readonly change: Change | null;
}

/** Told of each effect once it is over, before its answer leaves; what it throws becomes the answer. */
export type EffectListener = (effect: Effect) => Promise<void> | void;

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
    });
    const tell = async (outcome: string): Promise<void> => this.listener(effect(outcome));
    return next.handle().pipe(
      catchError((error: unknown) => from(tell(registered(error).code)).pipe(concatMap(() => throwError(() => error)))),
      concatMap((answer) => from(tell('done')).pipe(map(() => answer))),
    );
  }
}
