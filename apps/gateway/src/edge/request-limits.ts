import { type Actor, networkOf, PlanLimitReached, RateLimited, type RateLimiter, type RateVerdict, rateWindowSeconds } from '@trunkline/identity';
import type { FastifyReply } from 'fastify';
import type { Holder } from './holder.js';

export type Limiter = Pick<RateLimiter, 'take' | 'isSpent'>;

interface Named {
  readonly policy: 'key' | 'user' | 'organisation' | 'address';
  readonly verdict: RateVerdict;
}

/**
 * How many requests a key or a person, the organisation and a stranger's address may make in a minute, told in `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-11 of May 2026).
 * An organisation's figures come from its plan; where the plan sets none, nothing is counted and nothing is told.
 */
export class RequestLimits {
  constructor(
    private readonly limiter: Limiter,
    /** Of requests no credential vouches for; null: not counted. */
    private readonly strangerRequestsPerMinute: number | null,
  ) {}

  /** Without a promise where what is needed is in hand. */
  admit({ actor, organisationId, plan: { limits } }: Holder, reply: FastifyReply): boolean | Promise<boolean> {
    if (limits.keyRequestsPerMinute === null && limits.requestsPerMinute === null) return true;
    const own = limits.keyRequestsPerMinute === null ? null : this.limiter.take(`${actor.kind}:${actor.kind === 'key' ? actor.keyId : actor.userId}`, limits.keyRequestsPerMinute);
    const all = limits.requestsPerMinute === null ? null : this.limiter.take(`organisation:${organisationId}`, limits.requestsPerMinute);
    const policy = actor.kind;
    if (own instanceof Promise || all instanceof Promise) return Promise.all([own, all]).then(([one, other]) => told(policy, one, other, reply));
    return told(policy, own, all, reply);
  }

  async admitStranger(address: string, reply: FastifyReply): Promise<void> {
    if (this.strangerRequestsPerMinute === null) return;
    tell([{ policy: 'address', verdict: await this.limiter.take(subjectOf(address), this.strangerRequestsPerMinute, 1, true) }], reply);
  }

  /** Before anybody is asked about a credential that may be a guess. */
  refuseSpentAddress(address: string, reply: FastifyReply): void {
    if (this.strangerRequestsPerMinute === null) return;
    const verdict = this.limiter.isSpent(subjectOf(address));
    if (verdict !== null) tell([{ policy: 'address', verdict }], reply);
  }

  /** Events beyond the plan are not taken; undefined: nothing had to be waited for. */
  admitEvents({ organisationId, plan }: Holder, events: number): Promise<void> | undefined {
    const { eventsPerMinute } = plan.limits;
    if (eventsPerMinute === null || events === 0) return undefined;
    const facts = { plan: plan.name, limit: { name: 'events_per_minute', value: eventsPerMinute } };
    // No minute has room for it, so there is no time to come back at.
    if (events > eventsPerMinute) throw PlanLimitReached.because(`the batch holds ${events} events, the plan ${plan.name} allows ${eventsPerMinute} a minute: send smaller batches`, facts);
    const refuse = ({ isAdmitted, resetSeconds }: RateVerdict): void => {
      if (isAdmitted) return;
      throw PlanLimitReached.because(`the plan ${plan.name} includes ${eventsPerMinute} events per minute; there will be more in ${resetSeconds} s`, { ...facts, retryAfterSeconds: resetSeconds });
    };
    const taken = this.limiter.take(`events:${organisationId}`, eventsPerMinute, events);
    if (taken instanceof Promise) return taken.then(refuse);
    refuse(taken);
    return undefined;
  }
}

function subjectOf(address: string): string {
  return `address:${networkOf(address)}`;
}

function told(policy: Actor['kind'], own: RateVerdict | null, all: RateVerdict | null, reply: FastifyReply): boolean {
  tell([...(own === null ? [] : [{ policy, verdict: own } as const]), ...(all === null ? [] : [{ policy: 'organisation', verdict: all } as const])], reply);
  return true;
}

/** Retry-After agrees with the `t` of the policy that refuses. */
function tell(limits: readonly Named[], reply: FastifyReply): void {
  reply.header('ratelimit-policy', limits.map(({ policy, verdict }) => `"${policy}";q=${verdict.quota};w=${rateWindowSeconds}`).join(', '));
  reply.header('ratelimit', limits.map(({ policy, verdict }) => `"${policy}";r=${verdict.remaining};t=${verdict.resetSeconds}`).join(', '));
  const refusing = limits.filter(({ verdict }) => !verdict.isAdmitted);
  const [first] = refusing;
  if (first === undefined) return;
  const retryAfterSeconds = Math.max(...refusing.map(({ verdict }) => verdict.resetSeconds));
  throw RateLimited.because(`the limit of ${first.verdict.quota} requests per minute of this ${first.policy} is used up`, { retryAfterSeconds });
}
