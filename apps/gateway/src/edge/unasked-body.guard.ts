import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import type { FastifyRequest } from 'fastify';
import { RequestInvalid } from './errors.js';

/** An operation that takes no body refuses one with something in it: who sends fields believes that they do something (S7). */
@Injectable()
export class UnaskedBodyGuard implements CanActivate {
  private readonly takers = new WeakMap<object, boolean>();

  canActivate(context: ExecutionContext): boolean {
    const { body } = context.switchToHttp().getRequest<FastifyRequest>();
    // Bytes belong to an operation that reads them itself.
    if (body === undefined || body === null || Buffer.isBuffer(body) || this.takesBody(context)) return true;
    const [field] = typeof body === 'object' ? Object.keys(body) : ['the body'];
    if (field !== undefined) throw RequestInvalid.because(`${field.slice(0, 100)} may not be sent: this operation takes no body`);
    return true;
  }

  private takesBody(context: ExecutionContext): boolean {
    const handler = context.getHandler();
    const known = this.takers.get(handler);
    if (known !== undefined) return known;
    const parameters = Object.keys((Reflect.getMetadata(ROUTE_ARGS_METADATA, context.getClass(), handler.name) as object | undefined) ?? {});
    const takes = parameters.some((parameter) => parameter.startsWith(`${RouteParamtypes.BODY}:`));
    this.takers.set(handler, takes);
    return takes;
  }
}
