import { failpoint } from '@trunkline/failpoints';
import type { PoolClient } from 'pg';
import type { Decision } from './decision.js';
import type { SweepItem } from './item.js';

export interface FoundIntent {
  readonly intent: 'void' | 'open';
  /** The open row's: a worker that was slow to write it may still be calling until then. */
  readonly expiresAtMs?: number;
}

interface IntentRow {
  readonly organisation_id: string;
  readonly run_id: string;
  readonly step_id: string;
  readonly dispatch: number;
  readonly state: 'void' | 'open';
  readonly expires_at_ms: number | null;
}

/**
 * Decides "never started" by writing the `void` row itself (delivery §8). Where a row is found, it says what its writer did: `open`, a call may have been made; `void`, none was or will be.
 * Actions that keep no intents are left out.
 */
export async function voidIntents(client: PoolClient, decisions: ReadonlyMap<string, Decision>, keepsIntent: (decision: Decision, item: SweepItem) => boolean): Promise<ReadonlyMap<SweepItem, FoundIntent>> {
  const swept = [...decisions.values()].flatMap((decision) => decision.items.flatMap((item) => {
    if (item.kind !== 'sweep') return [];
    const step = decision.step(item.stepId);
    const isOverdue = step?.state === 'sent' && step.dispatch === item.dispatch;
    return isOverdue && keepsIntent(decision, item) ? [item] : [];
  }));
  if (swept.length === 0) return new Map();
  const keys = swept.map((item) => ({ organisation_id: item.organisationId, run_id: item.runId, step_id: item.stepId, dispatch: item.dispatch }));
  const parameter = JSON.stringify(keys.sort((left, right) => (left.run_id < right.run_id ? -1 : 1)));
  await client.query(
    `insert into intents (organisation_id, run_id, step_id, dispatch, state, worker)
      select organisation_id, run_id, step_id, dispatch, 'void', 'sweeper' from json_to_recordset($1::json) k(organisation_id uuid, run_id uuid, step_id text, dispatch integer)
      on conflict do nothing`,
    [parameter],
  );
  failpoint('sweeper.afterVoid');
  // A statement of its own: it sees rows that another transaction committed while the insert waited for it.
  const { rows } = await client.query<IntentRow>(
    `select i.organisation_id, i.run_id, i.step_id, i.dispatch, i.state, (extract(epoch from i.expires_at) * 1000)::float8 as expires_at_ms from json_to_recordset($1::json) k(organisation_id uuid, run_id uuid, step_id text, dispatch integer)
      join intents i on i.organisation_id = k.organisation_id and i.run_id = k.run_id and i.step_id = k.step_id and i.dispatch = k.dispatch where k.run_id = coalesce(k.run_id, k.organisation_id)`,
    [parameter],
  );
  const states = new Map(rows.map((row) => [JSON.stringify([row.organisation_id, row.run_id, row.step_id, row.dispatch]), foundIn(row)]));
  return new Map(swept.map((item) => [item, states.get(JSON.stringify([item.organisationId, item.runId, item.stepId, item.dispatch])) ?? { intent: 'open' as const }]));
}

function foundIn({ state, expires_at_ms: expiresAtMs }: IntentRow): FoundIntent {
  return expiresAtMs === null ? { intent: state } : { intent: state, expiresAtMs };
}
