import type { Caller } from '@trunkline/identity';
import type { FastifyRequest } from 'fastify';
import { Internal } from './errors.js';

/** Who is calling, as the API key says; nothing in the request itself is believed (S5). */
const holders = new WeakMap<FastifyRequest, Caller>();

export function rememberHolder(request: FastifyRequest, holder: Caller): void {
  holders.set(request, holder);
}

export function holderOf(request: FastifyRequest): Caller {
  const holder = holders.get(request);
  if (holder === undefined) throw Internal.because('an operation was reached without its guard');
  return holder;
}

/** `performance.now()` at which the request was whole; what must be answered in time counts from here, the look-up of its key included. */
const arrivals = new WeakMap<FastifyRequest, number>();

export function rememberArrival(request: FastifyRequest): void {
  arrivals.set(request, performance.now());
}

export function arrivalOf(request: FastifyRequest): number {
  return arrivals.get(request) ?? performance.now();
}
