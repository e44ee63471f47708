import type { RunState } from '@trunkline/chain';
import type { PoolClient } from 'pg';
import { decodeRun, keyOf, type RunRow } from '../run-row.js';
import type { LoadedRun } from './decision.js';

interface Row {
  readonly organisation_id: string;
  readonly run_id: string;
  readonly root_run_id: string;
  readonly root_accepted_at_ms: number;
  readonly event_type: string;
  readonly subject_hash: string | null;
  readonly digest: string;
  readonly chain_event_type: string;
  readonly chain_assistant_id: string;
  readonly chain_version: number;
  readonly accepted_at_ms: number;
  readonly has_replays: boolean;
  readonly rev: number;
  readonly state: RunState;
  readonly steps: string;
  readonly carried: Buffer;
  readonly event_id: string;
  readonly source: string;
  readonly subject: string | null;
  readonly time: string | null;
  readonly assistant_id: string | null;
  readonly traceparent: string | null;
  readonly data: Buffer;
}

export interface RunKey {
  readonly organisationId: string;
  readonly runId: string;
}

/** The columns from which a run is decoded; `r` is its row, `e` its event. */
export const runColumns = `r.organisation_id, r.run_id, r.root_run_id, (extract(epoch from r.root_accepted_at) * 1000)::float8 as root_accepted_at_ms, r.event_type, r.subject_hash, r.digest,
  r.chain_event_type, r.chain_assistant_id, r.chain_version, (extract(epoch from r.accepted_at) * 1000)::float8 as accepted_at_ms, r.has_replays, r.rev, r.state, r.steps, r.carried,
  e.event_id, e.source, e.subject, e.time, e.assistant_id, e.traceparent, e.data`;

/** Joined on organisation and run id, never on run id alone. */
export const loadRunsStatement = `select ${runColumns}
  from json_to_recordset($1::json) k(organisation_id uuid, run_id uuid)
  join runs r on r.organisation_id = k.organisation_id and r.run_id = k.run_id
  join run_events e on e.organisation_id = r.organisation_id and e.run_id = r.run_id
  where k.run_id = coalesce(k.run_id, k.organisation_id)`;

export async function loadRuns(client: PoolClient, keys: readonly RunKey[]): Promise<ReadonlyMap<string, LoadedRun>> {
  if (keys.length === 0) return new Map();
  const { rows } = await client.query<Row>({
    name: 'load-runs',
    text: loadRunsStatement,
    values: [JSON.stringify(keys.map((key) => ({ organisation_id: key.organisationId, run_id: key.runId })))],
  });
  return new Map(rows.map((row) => [keyOf({ organisationId: row.organisation_id, runId: row.run_id }), loadedOf(row)]));
}

function loadedOf(row: Row): LoadedRun {
  return {
    row: rowOf(row),
    event: { id: row.event_id, source: row.source, type: row.event_type, subject: row.subject, time: row.time, assistantId: row.assistant_id, traceparent: row.traceparent, data: row.data },
  };
}

function rowOf(row: Row): RunRow {
  return {
    organisationId: row.organisation_id,
    runId: row.run_id,
    rootRunId: row.root_run_id,
    rootAcceptedAtMs: Math.round(row.root_accepted_at_ms),
    eventType: row.event_type,
    subjectHash: row.subject_hash,
    digest: row.digest,
    chain: { eventType: row.chain_event_type, assistantId: row.chain_assistant_id, version: row.chain_version },
    hasReplays: row.has_replays,
    rev: row.rev,
    run: decodeRun(row.state, Math.round(row.accepted_at_ms), row.steps, row.carried.toString('utf8')),
  };
}
