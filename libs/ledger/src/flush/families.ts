import { isFinal, type Json, type Run, type RunState, type StepProgress } from '@trunkline/chain';
import type { PoolClient } from 'pg';
import { decodeRun, keyOf } from '../run-row.js';
import type { Decision } from './decision.js';

interface Member {
  readonly organisation_id: string;
  readonly run_id: string;
  readonly root_run_id: string;
  readonly state: RunState;
  readonly rev: number;
  readonly steps: string;
  readonly carried: Buffer;
}

export interface Recorded {
  readonly result: Json;
  readonly externalId: string | null;
}

/**
 * Runs of one root share their effect keys: only one of them may have a key past `waiting` and not final (delivery §5).
 * Checked under the root run's lock, and only where replays exist, so that ordinary runs pay nothing.
 */
export class Families {
  private readonly relatives = new Map<string, (() => Run)[]>();

  async read(client: PoolClient, decisions: readonly Decision[]): Promise<void> {
    const concerned = decisions.filter(({ loaded: { row }, ready }) => ready.size > 0 && (row.hasReplays || row.rootRunId !== row.runId));
    if (concerned.length === 0) return;
    const roots = [...new Map(concerned.map(({ loaded: { row } }) => [`${row.organisationId}/${row.rootRunId}`, { organisation_id: row.organisationId, run_id: row.rootRunId }])).entries()].sort(([left], [right]) => (left < right ? -1 : 1));
    const parameter = JSON.stringify(roots.map(([, root]) => root));
    await client.query(`select 1 from json_to_recordset($1::json) k(organisation_id uuid, run_id uuid) join runs r on r.organisation_id = k.organisation_id and r.run_id = k.run_id for update of r`, [parameter]);
    const { rows } = await client.query<Member>(
      `select r.organisation_id, r.run_id, r.root_run_id, r.state, r.rev, r.steps, r.carried from json_to_recordset($1::json) k(organisation_id uuid, run_id uuid)
        join runs r on r.organisation_id = k.organisation_id and r.run_id = k.run_id
       union all
       select r.organisation_id, r.run_id, r.root_run_id, r.state, r.rev, r.steps, r.carried from json_to_recordset($1::json) k(organisation_id uuid, run_id uuid)
        join runs r on r.organisation_id = k.organisation_id and r.root_run_id = k.run_id and r.root_run_id <> r.run_id`,
      [parameter],
    );
    for (const decision of concerned) {
      const { row } = decision.loaded;
      const others = rows.filter((member) => member.organisation_id === row.organisationId && member.root_run_id === row.rootRunId && member.run_id !== row.runId);
      // Of two members in one flush the earlier has not been written yet: it is looked at as it stands by then, unless its copy here is old and will not be written.
      this.relatives.set(keyOf(decision), others.map((member) => {
        const here = concerned.find((candidate) => candidate !== decision && candidate.runId === member.run_id && candidate.organisationId === member.organisation_id && candidate.loaded.row.rev === member.rev);
        const stored = decodeRun(member.state, 0, member.steps, member.carried.toString('utf8'));
        return () => here?.run ?? stored;
      }));
    }
  }

  /** Another run of the family is at this step, or may have written it. */
  holds(decision: Decision, stepId: string): boolean {
    return this.relativesAt(decision, stepId).some((step) => step.state !== 'waiting' && !isFinal(step.state) && !(step.state === 'ready' && step.dispatch === 0));
  }

  /** What another run of the family has done already; `upsert` calls again. */
  recorded(decision: Decision, stepId: string): Recorded | null {
    if (decision.factsOf(stepId)?.repeat === 'upsert') return null;
    const done = this.relativesAt(decision, stepId).find((step) => step.state === 'done');
    return done === undefined ? null : { result: done.result, externalId: done.externalId };
  }

  private relativesAt(decision: Decision, stepId: string): readonly StepProgress[] {
    return (this.relatives.get(keyOf(decision)) ?? []).flatMap((run) => run().steps.filter((step) => step.id === stepId));
  }
}
