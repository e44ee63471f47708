import type { PlannedStep, RunState, StepProgress } from '@trunkline/chain';
import { subjectHashOf } from '@trunkline/contracts';
import { inOrganisations, inTenant, type Databases } from '@trunkline/storage';
import type { PoolClient } from 'pg';
import { decodeRun } from '../run-row.js';
import { decodeCursor, encodeCursor } from './cursor.js';
import type { AttemptView, Page, RunDetail, RunFilter, RunSummary, StepView } from './verbs.js';

interface SummaryRow {
  readonly run_id: string;
  readonly root_run_id: string;
  readonly event_type: string;
  readonly source: string;
  readonly event_id: string;
  readonly subject: string | null;
  readonly state: RunState;
  readonly chain_version: number;
  readonly accepted_us: string;
  readonly finished_at_ms: number | null;
  readonly steps: string;
  readonly planned_steps: readonly PlannedStep[] | null;
}

interface DetailRow extends SummaryRow {
  readonly time: string | null;
  readonly assistant_id: string | null;
  readonly data: Buffer;
  readonly expired_at_ms: number | null;
}

interface AttemptRow {
  readonly step_id: string;
  readonly dispatch: number;
  readonly kind: string;
  readonly outcome: string;
  readonly started_at_ms: number | null;
  readonly duration_ms: number | null;
  readonly http_status: number | null;
  readonly provider_request_id: string | null;
  readonly code: string | null;
  readonly message: Buffer | null;
  readonly recorded_at_ms: number;
}

const summaryColumns = `r.run_id, r.root_run_id, r.event_type, e.source, e.event_id, e.subject, r.state, r.chain_version, (extract(epoch from r.accepted_at) * 1000000)::bigint::text as accepted_us,
  (extract(epoch from r.finished_at) * 1000)::float8 as finished_at_ms, r.steps, c.steps as planned_steps`;
const sources = `join run_events e on e.organisation_id = r.organisation_id and e.run_id = r.run_id
  left join chain_versions c on c.organisation_id = r.organisation_id and c.event_type = r.chain_event_type and c.assistant_id = r.chain_assistant_id and c.version = r.chain_version`;

/** Newest first. */
export async function listRuns(databases: Pick<Databases, 'tenant'>, organisationId: string, filter: RunFilter): Promise<Page<RunSummary>> {
  const after = decodeCursor(filter.after);
  const { rows } = await inTenant(databases, organisationId, (client) => client.query<SummaryRow>(
    `select ${summaryColumns} from runs r ${sources}
      where r.organisation_id = $1 and r.accepted_at > '-infinity'
        and ($2::text is null or r.state = $2) and ($3::text is null or r.event_type = $3) and ($4::text is null or r.subject_hash = $4)
        and ($5::float8 is null or r.accepted_at >= to_timestamp($5 / 1000)) and ($6::float8 is null or r.accepted_at < to_timestamp($6 / 1000))
        and ($7::bigint is null or (r.accepted_at, r.run_id) < (timestamptz 'epoch' + $7 * interval '1 microsecond', $8::uuid))
        and ($9::jsonb is null or c.steps @> $9)
      order by r.accepted_at desc, r.run_id desc limit $10`,
    [
      organisationId,
      filter.state ?? null,
      filter.eventType ?? null,
      filter.subject === undefined ? null : subjectHashOf(organisationId, filter.subject),
      filter.acceptedAfterMs ?? null,
      filter.acceptedBeforeMs ?? null,
      after?.timeUs ?? null,
      after?.id ?? null,
      filter.integrationId === undefined ? null : JSON.stringify([{ integrationId: filter.integrationId }]),
      filter.limit + 1,
    ],
  ));
  const items = rows.slice(0, filter.limit);
  const last = items.at(-1);
  return { items: items.map((row) => summaryOf(row, new Map())), next: rows.length > filter.limit && last !== undefined ? encodeCursor({ timeUs: last.accepted_us, id: last.run_id }) : null };
}

export async function showRun(databases: Pick<Databases, 'tenant' | 'system'>, organisationId: string, runId: string): Promise<RunDetail | null> {
  const found = await inTenant(databases, organisationId, async (client) => {
    const { rows } = await client.query<DetailRow>(`select ${summaryColumns}, e.time, e.assistant_id, e.data, (extract(epoch from e.expired_at) * 1000)::float8 as expired_at_ms from runs r ${sources} where r.organisation_id = $1 and r.run_id = $2`, [organisationId, runId]);
    return rows[0] === undefined ? null : { row: rows[0], attempts: await attemptsOf(client, organisationId, runId) };
  });
  if (found === null) return null;
  const { row, attempts } = found;
  return {
    ...summaryOf(row, await waitsOf(databases, organisationId, runId)),
    event: { time: row.time, assistantId: row.assistant_id, data: row.data, expiredAtMs: row.expired_at_ms },
    attemptList: attempts,
  };
}

async function attemptsOf(client: PoolClient, organisationId: string, runId: string): Promise<AttemptView[]> {
  const { rows } = await client.query<AttemptRow>(
    `select step_id, dispatch, kind, outcome, (extract(epoch from started_at) * 1000)::float8 as started_at_ms, duration_ms, http_status, provider_request_id, code, message, (extract(epoch from recorded_at) * 1000)::float8 as recorded_at_ms
      from attempts where organisation_id = $1 and run_id = $2 order by recorded_at, attempt_id limit 1000`,
    [organisationId, runId],
  );
  return rows.map((row) => ({
    stepId: row.step_id,
    dispatch: row.dispatch,
    kind: row.kind,
    outcome: row.outcome,
    startedAtMs: row.started_at_ms,
    durationMs: row.duration_ms,
    httpStatus: row.http_status,
    providerRequestId: row.provider_request_id,
    code: row.code,
    message: row.message?.toString('utf8') ?? null,
    recordedAtMs: row.recorded_at_ms,
  }));
}

interface Wait {
  readonly reason: string;
  readonly dueAtMs: number | null;
}

/** Why ready steps have not been sent: the subject is another run's, the gate is closed and until when, or simply full. */
async function waitsOf(databases: Pick<Databases, 'system'>, organisationId: string, runId: string): Promise<ReadonlyMap<string, Wait>> {
  const { rows } = await inOrganisations(databases, [organisationId], (client) => client.query<{ step_id: string; kind: string; paused: boolean | null; reason: string | null; open_at_ms: number | null; is_closed: boolean | null }>(
    `select d.step_id, d.kind, i.paused, g.reason, g.open_at > clock_timestamp() as is_closed, case when isfinite(g.open_at) then (extract(epoch from g.open_at) * 1000)::float8 end as open_at_ms
      from due_work d left join integrations i on i.organisation_id = d.organisation_id and i.id = d.integration_id left join gates g on g.organisation_id = d.organisation_id and g.integration_id = d.integration_id
      where d.organisation_id = $1 and d.run_id = $2 and d.kind in ('gate', 'turn')`,
    [organisationId, runId],
  ));
  return new Map(rows.map((row): [string, Wait] => {
    if (row.kind === 'turn') return [row.step_id, { reason: 'subject-busy', dueAtMs: null }];
    if (row.paused === true) return [row.step_id, { reason: 'paused', dueAtMs: null }];
    if (row.is_closed === true) return [row.step_id, { reason: row.reason ?? 'throttled', dueAtMs: row.open_at_ms }];
    return [row.step_id, { reason: 'queued', dueAtMs: null }];
  }));
}

function summaryOf(row: SummaryRow, waits: ReadonlyMap<string, Wait>): RunSummary {
  const planned = new Map((row.planned_steps ?? []).map((step) => [step.id, step]));
  return {
    runId: row.run_id,
    rootRunId: row.root_run_id,
    eventType: row.event_type,
    source: row.source,
    eventId: row.event_id,
    subject: row.subject,
    state: row.state,
    chainVersion: row.chain_version,
    acceptedAtMs: Math.floor(Number(row.accepted_us) / 1_000),
    finishedAtMs: row.finished_at_ms,
    steps: decodeRun(row.state, 0, row.steps, '').steps.map((step) => stepView(step, planned.get(step.id), waits.get(step.id))),
  };
}

function stepView(step: StepProgress, planned: PlannedStep | undefined, wait: Wait | undefined): StepView {
  const isReady = step.state === 'ready' && wait !== undefined;
  return {
    id: step.id,
    name: planned?.name ?? step.id,
    integrationId: planned?.integrationId ?? '',
    provider: planned?.provider ?? '',
    action: planned?.action ?? '',
    priority: planned?.priority ?? 0,
    state: step.state,
    reason: isReady ? wait.reason : step.reason,
    dueAtMs: isReady ? wait.dueAtMs : step.dueAtMs,
    dispatch: step.dispatch,
    attempts: step.attempts,
    externalId: step.externalId,
    cancelRequested: step.cancelRequested,
  };
}
