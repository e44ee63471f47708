import type { ActionFacts, Plan, PlannedStep } from '@trunkline/chain';
import fc from 'fast-check';

/** A chain, what its providers declare, and the numbers that drive everything that happens to its run. */
export interface Case {
  readonly plan: Plan;
  readonly facts: ReadonlyMap<string, ActionFacts>;
  /** Each one chooses what happens next; when they are used up, everything is delivered and every call succeeds. */
  readonly choices: readonly number[];
}

export const timeoutMs = 1_000;
export const queueingMs = 3_000;

const facts: fc.Arbitrary<ActionFacts> = fc.oneof(
  fc.constant<ActionFacts>({ family: 'crm', repeat: 'upsert' }),
  fc.constant<ActionFacts>({ family: 'crm', repeat: 'never' }),
  fc.constantFrom(1_000_000, 40_000).map((keyTtlMs): ActionFacts => ({ family: 'crm', repeat: 'key', keyTtlMs, search: { commitWithinMs: 500, visibleAfterMs: 3_000 } })),
  fc.constantFrom(3_000, 100).map((visibleAfterMs): ActionFacts => ({ family: 'crm', repeat: 'search-first', search: { commitWithinMs: 500, visibleAfterMs } })),
  fc.constant<ActionFacts>({ family: 'crm', repeat: 'search-first', search: { commitWithinMs: null, visibleAfterMs: null } }),
);

const shape = fc.record({
  priority: fc.constantFrom(10, 10, 20, 20, 30),
  onFailure: fc.constantFrom('stop', 'stop', 'continue', 'skip_dependants') as fc.Arbitrary<PlannedStep['onFailure']>,
  ordering: fc.constantFrom('none', 'subject') as fc.Arbitrary<PlannedStep['ordering']>,
  attempts: fc.integer({ min: 1, max: 3 }),
  readsEarlier: fc.boolean(),
  facts,
});

export const cases: fc.Arbitrary<Case> = fc.record({ shapes: fc.array(shape, { minLength: 1, maxLength: 4 }), choices: fc.array(fc.nat(65_535), { minLength: 10, maxLength: 70, size: 'max' }) }).map(({ shapes, choices }) => {
  const steps = shapes.map((one, index): PlannedStep => ({
    id: `s${index + 1}`,
    name: `step_${index + 1}`,
    integrationId: `i${index + 1}`,
    provider: 'fixture',
    action: one.facts.repeat,
    priority: one.priority,
    condition: null,
    input: {},
    onFailure: one.onFailure,
    timeoutMs,
    retry: { attempts: one.attempts, backoffMs: 500, maxBackoffMs: 5_000 },
    ordering: one.ordering,
    reads: one.readsEarlier ? shapes.flatMap((other, at) => (other.priority < one.priority ? [`s${at + 1}`] : [])) : [],
  }));
  return { plan: { steps }, facts: new Map(shapes.map((one, index) => [`s${index + 1}`, one.facts])), choices };
});
