import type { AuditTrail } from '@trunkline/audit';
import { actorName } from '@trunkline/identity';
import type { EffectListener } from '../edge/effect.interceptor.js';

/** Writes each effect into the organisation's trail before its answer leaves: an answer that says it was done has its entry. */
export function auditing(trail: Pick<AuditTrail, 'append'>): EffectListener {
  return ({ actor, permission, route, parameters, requestId, outcome, change }) => {
    const [[, id] = ['', '']] = Object.entries(parameters).filter(([name]) => name !== 'org_id');
    return trail.append(actor.organisationId, {
      actor: actorName(actor),
      address: actor.address,
      action: permission,
      subject: `${route}${id === '' ? '' : ` ${id}`}`,
      outcome,
      requestId,
      before: change?.before ?? null,
      after: change?.after ?? null,
    });
  };
}
