/** What an organisation may have and use. `null` is without a limit. */
export interface PlanLimits {
  readonly integrations: number;
  readonly eventsPerMinute: number | null;
  readonly requestsPerMinute: number | null;
  readonly keyRequestsPerMinute: number | null;
  readonly retentionDays: number;
}

/** Prices and promises of the product, kept as data: nothing in the code asks for a plan by name. */
export const plans = {
  free: { integrations: 0, eventsPerMinute: 60, requestsPerMinute: 300, keyRequestsPerMinute: 120, retentionDays: 3 },
  starter: { integrations: 1, eventsPerMinute: 600, requestsPerMinute: 1_200, keyRequestsPerMinute: 900, retentionDays: 14 },
  professional: { integrations: 3, eventsPerMinute: 6_000, requestsPerMinute: 9_000, keyRequestsPerMinute: 7_500, retentionDays: 30 },
  scale: { integrations: 5, eventsPerMinute: 60_000, requestsPerMinute: 60_000, keyRequestsPerMinute: 60_000, retentionDays: 90 },
  enterprise: { integrations: 999, eventsPerMinute: null, requestsPerMinute: null, keyRequestsPerMinute: null, retentionDays: 365 },
} as const satisfies Readonly<Record<string, PlanLimits>>;

export type PlanName = keyof typeof plans;
export const planNames = Object.keys(plans) as readonly PlanName[];

/** Of an organisation nobody gave a plan: whoever runs Trunkline for themselves is hindered by none. */
export const planWithoutHindrance: PlanName = 'enterprise';

export interface Plan {
  readonly name: PlanName;
  readonly limits: PlanLimits;
}

export function isPlan(name: string): name is PlanName {
  return Object.hasOwn(plans, name);
}

/** A plan with what a contract changes of it. What a contract may say is the plan's own limits, as numbers or without a limit; anything else in a row is passed over. */
export function planOf(name: string | null, overrides: Readonly<Record<string, unknown>> | null): Plan {
  const plan = name !== null && isPlan(name) ? name : planWithoutHindrance;
  const limits: PlanLimits = plans[plan];
  const agreed = Object.entries(overrides ?? {}).filter(([limit, value]) => Object.hasOwn(limits, limit) && (isCount(value) || (value === null && limit.endsWith('PerMinute'))));
  return { name: plan, limits: agreed.length === 0 ? limits : { ...limits, ...Object.fromEntries(agreed) } };
}

function isCount(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
