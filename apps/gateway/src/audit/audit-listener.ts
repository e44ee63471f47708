import { appendEntry, type AuditTrail, type NewEntry, type Transaction } from '@trunkline/audit';
import { actorName } from '@trunkline/identity';
import type { FastifyRequest } from 'fastify';
import { type Change, rememberChange } from '../edge/change.js';
import { draftOf, type Effect, type EffectListener, rememberEntered } from '../edge/effect.js';
import { Internal } from '../edge/errors.js';

/** Writes each effect into the organisation's trail before its answer leaves: an answer that says it was done has its entry. */
export function auditing(trail: Pick<AuditTrail, 'append'>): EffectListener {
  return (effect) => (effect.isEntered ? undefined : trail.append(effect.actor.organisationId, entryOf(effect)));
}

/** What a change of the control plane calls inside its own transaction: effect and entry are both durable, or neither. */
export type Enter<Thing> = (transaction: Transaction, before: Thing | null, after: Thing | null) => Promise<void>;

export function entering<Thing>(request: FastifyRequest, shown: (thing: Thing) => unknown): Enter<Thing> {
  return async (transaction, before, after) => {
    const draft = draftOf(request);
    if (draft === null) throw Internal.because('an effect that nobody looks at');
    const change: Change = { before: before === null ? null : shown(before), after: after === null ? null : shown(after) };
    const effect = draft(change);
    await enterEffect(transaction, effect);
    rememberChange(request, change);
    rememberEntered(request);
  };
}

/** Inside the transaction that has the effect. */
export function enterEffect(transaction: Transaction, effect: Effect): Promise<void> {
  return appendEntry(transaction, effect.actor.organisationId, entryOf(effect));
}

function entryOf({ actor, permission, route, parameters, requestId, outcome, change }: Effect): NewEntry {
  const [[, id] = ['', '']] = Object.entries(parameters).filter(([name]) => name !== 'org_id');
  return { actor: actorName(actor), address: actor.address, action: permission, subject: `${route}${id === '' ? '' : ` ${id}`}`, outcome, requestId, before: change?.before ?? null, after: change?.after ?? null };
}
