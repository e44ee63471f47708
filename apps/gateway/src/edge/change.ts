import type { FastifyRequest } from 'fastify';

/** What an operation changed, as the API shows it: masked, and without anything that is shown once only. */
export interface Change {
  readonly before: unknown;
  readonly after: unknown;
}

const changes = new WeakMap<FastifyRequest, Change>();

/** An operation says here what the audit trail is to keep of it. */
export function rememberChange(request: FastifyRequest, change: Change): void {
  changes.set(request, change);
}

export function changeOf(request: FastifyRequest): Change | null {
  return changes.get(request) ?? null;
}
