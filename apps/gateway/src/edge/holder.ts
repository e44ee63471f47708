import type { Actor, Plan, SignedIn } from '@trunkline/identity';
import type { FastifyRequest } from 'fastify';
import { Internal } from './errors.js';

/** Who is calling, as the API key or the session says; nothing in the request itself is believed (S5). */
export interface Holder {
  readonly organisationId: string;
  readonly actor: Actor;
  readonly plan: Plan;
}

const holders = new WeakMap<FastifyRequest, Holder>();

export function rememberHolder(request: FastifyRequest, holder: Holder): void {
  holders.set(request, holder);
}

export function holderOf(request: FastifyRequest): Holder {
  const holder = holders.get(request);
  if (holder === undefined) throw Internal.because('an operation was reached without its guard');
  return holder;
}

/** The person behind a session, and the session's token. */
export interface Person {
  readonly signedIn: SignedIn;
  readonly token: string;
}

const people = new WeakMap<FastifyRequest, Person>();

export function rememberPerson(request: FastifyRequest, person: Person): void {
  people.set(request, person);
}

export function personOf(request: FastifyRequest): Person {
  const person = people.get(request);
  if (person === undefined) throw Internal.because('an operation for people was reached without its guard');
  return person;
}

/** `performance.now()` at which the request was whole; what must be answered in time counts from here, the look-up of its key included. */
const arrivals = new WeakMap<FastifyRequest, number>();

export function rememberArrival(request: FastifyRequest): void {
  arrivals.set(request, performance.now());
}

export function arrivalOf(request: FastifyRequest): number {
  return arrivals.get(request) ?? performance.now();
}
