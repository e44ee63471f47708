import { applyDecorators, SetMetadata, UseInterceptors } from '@nestjs/common';
import { ApiExtension } from '@nestjs/swagger';
import { isEffect, isPermission } from '@trunkline/identity';
import { EffectInterceptor } from './effect.interceptor.js';
import { type Need, needsKey } from './need.js';

/** An operation without this line is closed to everybody. Whatever does more than show passes the one place where effects are seen; publishing alone does not: it is the hot path, and the event itself is its record. */
export function Needs(need: Need): MethodDecorator & ClassDecorator {
  const isSeen = isPermission(need) && isEffect(need) && need !== 'events:publish';
  return applyDecorators(SetMetadata(needsKey, need), ApiExtension('x-permission', need), ...(isSeen ? [UseInterceptors(EffectInterceptor)] : []));
}
