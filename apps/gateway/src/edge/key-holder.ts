import type { FastifyRequest } from 'fastify';
import { Internal } from './errors.js';
import type { Scope } from './needs.js';

/** Who is calling, as the API key says; nothing in the request itself is believed (S5). */
export interface KeyHolder {
  readonly organisationId: string;
  readonly keyId: string;
  readonly scopes: readonly (Scope | string)[];
}

const holders = new WeakMap<FastifyRequest, KeyHolder>();

export function rememberHolder(request: FastifyRequest, holder: KeyHolder): void {
  holders.set(request, holder);
}

export function holderOf(request: FastifyRequest): KeyHolder {
  const holder = holders.get(request);
  if (holder === undefined) throw Internal.because('an operation was reached without its guard');
  return holder;
}
