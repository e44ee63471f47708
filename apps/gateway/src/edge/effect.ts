import type { Actor, PermissionName } from '@trunkline/identity';
import type { FastifyRequest } from 'fastify';
import type { Change } from './change.js';

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
  /** It stands in the trail already, by the transaction that did it. */
  readonly isEntered: boolean;
}

/** Told of each effect once it is over, before its answer leaves; what it throws becomes the answer. */
export type EffectListener = (effect: Effect) => Promise<void> | void;

type Draft = (change: Change) => Effect;

const drafts = new WeakMap<FastifyRequest, Draft>();
const entered = new WeakSet<FastifyRequest>();

/** What the effect of this request will be, should it succeed. */
export function rememberDraft(request: FastifyRequest, draft: Draft): void {
  drafts.set(request, draft);
}

export function draftOf(request: FastifyRequest): Draft | null {
  return drafts.get(request) ?? null;
}

export function rememberEntered(request: FastifyRequest): void {
  entered.add(request);
}

export function isEntered(request: FastifyRequest): boolean {
  return entered.has(request);
}
