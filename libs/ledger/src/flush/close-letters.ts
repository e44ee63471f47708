import { isFinal } from '@trunkline/chain';
import type { PoolClient } from 'pg';
import type { Decision } from './decision.js';
import { letterIdOfStep } from './letter.js';

/** Keys as arrays, so that the primary key is used however few letters there are when the plan is made. */
export const closeLettersStatement = 'update dead_letters set closed_at = clock_timestamp(), closed_because = $3 where organisation_id = any ($1::uuid[]) and id = any ($2::uuid[]) and closed_at is null';

/** Letters of steps that are done after all, or have been brought back. */
export async function closeLetters(client: PoolClient, written: readonly Decision[]): Promise<void> {
  const closed = written.flatMap((decision) => decision.closedLetters.flatMap((stepId) => {
    const state = decision.step(stepId)?.state ?? 'waiting';
    return state === 'dead-lettered' ? [] : [{ organisationId: decision.organisationId, id: letterIdOfStep(decision.organisationId, decision.runId, stepId), because: isFinal(state) ? 'done' : 'redriven' }];
  }));
  for (const [because, group] of Map.groupBy(closed, (letter) => letter.because)) {
    await client.query(closeLettersStatement, [group.map((letter) => letter.organisationId), group.map((letter) => letter.id), because]);
  }
}
