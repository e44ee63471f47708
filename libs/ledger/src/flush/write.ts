import type { LastStatement } from '@trunkline/storage';
import type { QueryResult } from 'pg';
import { encodeCarried, encodeSteps, keyOf } from '../run-row.js';
import type { Decision } from './decision.js';
import { encodeHeaders, isUuid, letterOfStep, operatorsOnly, type LetterRow } from './letter.js';
import type { SubjectChanges } from './turns.js';

export interface Writing {
  readonly decisions: readonly Decision[];
  readonly letters: readonly LetterRow[];
  /** Due rows without a run that would guard them. */
  readonly orphanedDue: readonly { readonly organisationId: string; readonly runId: string; readonly stepId: string }[];
  readonly dispatch: { readonly id: string; readonly instance: string; readonly sweepAtMs: number };
  readonly sentDispatches: readonly string[];
  readonly subjects: SubjectChanges;
  readonly maxWaitMs: number;
}

/**
 * Everything a flush writes, in one statement. New runs that exist already and runs whose `rev` has moved are not in `written`, and nothing of theirs is written anywhere:
 * every other row comes from that list (delivery §4). Rows are locked in the order of the parameters, which are sorted.
 * Nothing begins for an organisation that has left: its events in the topics outlive it. A sub-select and not a join, so that it stays one look by the primary key, row by row.
 * `x = coalesce(x, …)` is always true and deliberate too: it makes the planner expect one row, so that it goes from the parameter to the table by the primary key and never the other way round.
 * `not guarded or … in` is deliberate: behind an `or` PostgreSQL looks the list up in a hash table, where a join would compare every row with every other.
 */
export const flushStatement = `
with fresh as (
  insert into runs (organisation_id, run_id, root_run_id, root_accepted_at, event_type, subject_hash, digest, chain_event_type, chain_assistant_id, chain_version, accepted_at, planned_at, state, steps, carried, finished_at)
  select n.organisation_id, n.run_id, n.run_id, to_timestamp(n.accepted_at / 1000), n.event_type, n.subject_hash, n.digest, n.chain_event_type, n.chain_assistant_id, n.chain_version,
    to_timestamp(n.accepted_at / 1000), statement_timestamp() + n.place * interval '1 microsecond', n.state, n.steps, convert_to(n.carried, 'UTF8'), case when n.finished then clock_timestamp() end
  from json_to_recordset($1::json) n(organisation_id uuid, run_id uuid, accepted_at float8, place integer, event_type text, subject_hash text, digest text, chain_event_type text, chain_assistant_id text, chain_version integer, state text, steps text, carried text, finished boolean)
  where (select true from organisations o where o.id = n.organisation_id)
  on conflict (organisation_id, run_id) do nothing
  returning organisation_id, run_id
), events as (
  insert into run_events (organisation_id, run_id, type, source, event_id, subject, time, assistant_id, traceparent, data)
  select e.organisation_id, e.run_id, e.type, e.source, e.event_id, e.subject, e.time, e.assistant_id, e.traceparent, decode(e.data, 'base64')
  from json_to_recordset($2::json) e(organisation_id uuid, run_id uuid, type text, source text, event_id text, subject text, time text, assistant_id text, traceparent text, data text, guarded boolean)
  where not e.guarded or (e.organisation_id, e.run_id) in (select organisation_id, run_id from fresh)
), moved as (
  update runs r set rev = r.rev + 1, state = n.state, steps = n.steps, carried = convert_to(n.carried, 'UTF8'), finished_at = case when n.finished then coalesce(r.finished_at, clock_timestamp()) end
  from json_to_recordset($3::json) n(organisation_id uuid, run_id uuid, rev integer, state text, steps text, carried text, finished boolean)
  where r.organisation_id = n.organisation_id and r.run_id = n.run_id and r.rev = n.rev and n.rev = coalesce(n.rev, 0)
  returning r.organisation_id, r.run_id
), written as (
  select organisation_id, run_id from fresh union all select organisation_id, run_id from moved
), tried as (
  insert into attempts (organisation_id, run_id, recorded_at, attempt_id, step_id, dispatch, integration_id, kind, outcome, applied, started_at, duration_ms, http_status, provider_request_id, method, path, code, message, input, result, worker)
  select a.organisation_id, a.run_id, to_timestamp(a.recorded_at / 1000), a.attempt_id, a.step_id, a.dispatch, a.integration_id, a.kind, a.outcome, a.applied, to_timestamp(a.started_at / 1000), a.duration_ms, a.http_status,
    a.provider_request_id, a.method, a.path, a.code, convert_to(a.message, 'UTF8'), convert_to(a.input, 'UTF8'), convert_to(a.result, 'UTF8'), a.worker
  from json_to_recordset($4::json) a(organisation_id uuid, run_id uuid, guarded boolean, recorded_at float8, attempt_id uuid, step_id text, dispatch integer, integration_id uuid, kind text, outcome text, applied boolean, started_at float8, duration_ms integer, http_status integer, provider_request_id text, method text, path text, code text, message text, input text, result text, worker text)
  where (not a.guarded and (select true from organisations o where o.id = a.organisation_id)) or (a.organisation_id, a.run_id) in (select organisation_id, run_id from written)
  on conflict do nothing
), waiting as (
  insert into due_work (organisation_id, run_id, step_id, kind, integration_id, due_at, give_up_at, leased_until)
  select d.organisation_id, d.run_id, d.step_id, d.kind, d.integration_id, case when d.due_at is null then 'infinity' else to_timestamp(d.due_at / 1000) end, to_timestamp(d.give_up_at / 1000), to_timestamp(d.leased_until / 1000)
  from json_to_recordset($5::json) d(organisation_id uuid, run_id uuid, step_id text, kind text, integration_id uuid, due_at float8, give_up_at float8, leased_until float8, guarded boolean)
  where not d.guarded or (d.organisation_id, d.run_id) in (select organisation_id, run_id from written)
  on conflict (organisation_id, run_id, step_id) do update set kind = excluded.kind, integration_id = excluded.integration_id, due_at = excluded.due_at, give_up_at = excluded.give_up_at, leased_until = excluded.leased_until
), over as (
  delete from due_work d using (
    select g.organisation_id, g.run_id, g.step_id from json_to_recordset($6::json) g(organisation_id uuid, run_id uuid, step_id text, guarded boolean)
    where (not g.guarded or (g.organisation_id, g.run_id) in (select organisation_id, run_id from written)) and g.run_id = coalesce(g.run_id, g.organisation_id)
  ) g where d.organisation_id = g.organisation_id and d.run_id = g.run_id and d.step_id = g.step_id
), letters as (
  insert into dead_letters as l (organisation_id, id, class, code, message, run_id, step_id, integration_id, topic, partition, record_offset, appended_at, record_key, record_value, record_headers)
  select n.organisation_id, n.id, n.class, n.code, convert_to(n.message, 'UTF8'), n.run_id, n.step_id, n.integration_id, n.topic, n.partition, n.record_offset, to_timestamp(n.appended_at / 1000),
    decode(n.record_key, 'base64'), decode(n.record_value, 'base64'), decode(n.record_headers, 'base64')
  from json_to_recordset($7::json) n(organisation_id uuid, id uuid, guarded boolean, class text, code text, message text, run_id uuid, step_id text, integration_id uuid, topic text, partition integer, record_offset bigint, appended_at float8, record_key text, record_value text, record_headers text)
  where (not n.guarded and (n.organisation_id = '${operatorsOnly}' or (select true from organisations o where o.id = n.organisation_id))) or (n.organisation_id, n.run_id) in (select organisation_id, run_id from written)
  on conflict (organisation_id, id) do update set class = excluded.class, code = excluded.code, message = excluded.message, last_at = clock_timestamp(), closed_at = null, closed_because = null,
    times = l.times + case when l.closed_at is null and l.record_offset is not distinct from excluded.record_offset then 0 else 1 end, record_offset = excluded.record_offset, partition = excluded.partition
), box as (
  insert into dispatches (id, instance, items, sweep_at)
  select $8::uuid, $9::text, '[' || string_agg(i.items, ',') || ']', to_timestamp($10::float8 / 1000)
  from json_to_recordset($11::json) i(organisation_id uuid, run_id uuid, items text, guarded boolean)
  where not i.guarded or (i.organisation_id, i.run_id) in (select organisation_id, run_id from written)
  having count(*) > 0
), marked as (
  update dispatches set sent_at = clock_timestamp() where id = any ($12::uuid[])
), let_go as (
  delete from subject_holders h using (
    select g.organisation_id, g.integration_id, g.subject_hash, g.run_id from json_to_recordset($13::json) g(organisation_id uuid, integration_id uuid, subject_hash text, run_id uuid, guarded boolean)
    where (not g.guarded or (g.organisation_id, g.run_id) in (select organisation_id, run_id from written)) and g.run_id = coalesce(g.run_id, g.organisation_id)
  ) g where h.organisation_id = g.organisation_id and h.integration_id = g.integration_id and h.subject_hash = g.subject_hash and h.run_id = g.run_id
), held as (
  insert into subject_holders (organisation_id, integration_id, subject_hash, number, run_id)
  select n.organisation_id, n.integration_id, n.subject_hash, n.number, n.run_id from json_to_recordset($14::json) n(organisation_id uuid, integration_id uuid, subject_hash text, number bigint, run_id uuid, guarded boolean)
  where not n.guarded or (n.organisation_id, n.run_id) in (select organisation_id, run_id from written)
)
select organisation_id, run_id from written`;

export interface WrittenRow {
  readonly organisation_id: string;
  readonly run_id: string;
}

/** Keys of the runs that took what was decided for them. */
export function keysOf({ rows }: Pick<QueryResult<WrittenRow>, 'rows'>): ReadonlySet<string> {
  return new Set(rows.map((row) => keyOf({ organisationId: row.organisation_id, runId: row.run_id })));
}

/** Answered by a `WrittenRow` for each run that took what was decided for it. */
export function flushOf(writing: Writing): LastStatement {
  const decisions = writing.decisions.filter((decision) => decision.isChanged).sort((left, right) => (keyOf(left) < keyOf(right) ? -1 : 1));
  const places = new Map(writing.decisions.map((decision, index) => [decision, index]));
  const fresh = decisions.filter((decision) => decision.isNew);
  const moved = decisions.filter((decision) => !decision.isNew);
  return {
    name: 'flush',
    text: flushStatement,
    values: [
      JSON.stringify(fresh.map((decision) => freshRow(decision, places.get(decision) ?? 0))),
      JSON.stringify(fresh.map(eventRow)),
      JSON.stringify(moved.map(movedRow)),
      JSON.stringify(writing.decisions.flatMap(attemptRows)),
      JSON.stringify(decisions.flatMap((decision) => dueRows(decision, writing.maxWaitMs))),
      JSON.stringify([...decisions.flatMap(overRows), ...writing.orphanedDue.map((row) => ({ ...keyColumns(row), step_id: row.stepId, guarded: false }))]),
      JSON.stringify([...writing.letters.map((letter) => letterRow(letter, false)), ...decisions.flatMap(stepLetters)]),
      writing.dispatch.id,
      writing.dispatch.instance,
      writing.dispatch.sweepAtMs,
      JSON.stringify(decisions.filter((decision) => decision.commands.length > 0).map((decision) => ({ ...keyColumns(decision), items: itemsOf(decision), guarded: true }))),
      writing.sentDispatches,
      JSON.stringify(writing.subjects.released.map((row) => ({ ...row, guarded: true }))),
      JSON.stringify(writing.subjects.held.map((row) => ({ ...row, guarded: true }))),
    ],
  };
}

/** One command as the outbox row names it: ids and times, no payload. */
export interface OutboxItem {
  readonly o: string;
  readonly r: string;
  readonly s: string;
  readonly d: number;
  readonly i: string;
  readonly k: 'execute' | 'settle';
  readonly b: number;
  readonly t: number;
}

function itemsOf(decision: Decision): string {
  return decision.commands.map(({ command }) => JSON.stringify({ o: command.organisationId, r: command.runId, s: command.stepId, d: command.dispatch, i: command.integrationId, k: command.kind, b: command.startBeforeMs, t: command.deadlineMs } satisfies OutboxItem)).join(',');
}

function keyColumns(key: { readonly organisationId: string; readonly runId: string }): { organisation_id: string; run_id: string } {
  return { organisation_id: key.organisationId, run_id: key.runId };
}

function stateColumns(decision: Decision): Record<string, unknown> {
  const { state, steps } = decision.run;
  return { state, steps: encodeSteps(steps), carried: encodeCarried(steps), finished: state !== 'running' && state !== 'parked' };
}

/** `place`: rows are inserted in the order of their keys, and `planned_at` keeps the order of planning. */
function freshRow(decision: Decision, place: number): Record<string, unknown> {
  const { row } = decision.loaded;
  return {
    ...keyColumns(decision),
    ...stateColumns(decision),
    accepted_at: row.run.acceptedAtMs,
    place,
    event_type: row.eventType,
    subject_hash: row.subjectHash,
    digest: row.digest,
    chain_event_type: row.chain.eventType,
    chain_assistant_id: row.chain.assistantId,
    chain_version: row.chain.version,
  };
}

function eventRow(decision: Decision): Record<string, unknown> {
  const { event } = decision.loaded;
  return {
    ...keyColumns(decision),
    type: event.type,
    guarded: true,
    source: event.source,
    event_id: event.id,
    subject: event.subject,
    time: event.time,
    assistant_id: event.assistantId,
    traceparent: event.traceparent,
    data: event.data.toString('base64'),
  };
}

function movedRow(decision: Decision): Record<string, unknown> {
  return { ...keyColumns(decision), ...stateColumns(decision), rev: decision.loaded.row.rev };
}

function attemptRows(decision: Decision): Record<string, unknown>[] {
  return decision.attempts.map((attempt) => ({
    ...keyColumns(decision),
    guarded: decision.isChanged,
    recorded_at: attempt.recordedAtMs,
    attempt_id: attempt.attemptId,
    step_id: attempt.stepId,
    dispatch: attempt.dispatch,
    integration_id: uuidOrNull(attempt.integrationId),
    kind: attempt.kind,
    outcome: attempt.outcome,
    applied: attempt.isApplied,
    started_at: attempt.startedAtMs,
    duration_ms: attempt.durationMs === null ? null : Math.round(attempt.durationMs),
    http_status: attempt.httpStatus,
    provider_request_id: attempt.providerRequestId,
    method: attempt.method,
    path: attempt.path,
    code: attempt.code,
    message: storable(attempt.message),
    input: attempt.input,
    result: attempt.result,
    worker: attempt.worker,
  }));
}

function dueRows(decision: Decision, maxWaitMs: number): Record<string, unknown>[] {
  return [...decision.due].map(([stepId, due]) => {
    const since = decision.step(stepId)?.firstReadyAtMs ?? null;
    return {
      ...keyColumns(decision),
      guarded: true,
      step_id: stepId,
      kind: due.kind,
      integration_id: uuidOrNull(decision.planned(stepId)?.integrationId ?? null),
      due_at: Number.isFinite(due.dueAtMs) ? due.dueAtMs : null,
      leased_until: due.leasedUntilMs ?? null,
      // What waits for its turn is not held up by its own integration: the run before it is, and gives up.
      give_up_at: since === null || due.kind === 'turn' || decision.step(stepId)?.state === 'parked' ? null : since + maxWaitMs,
    };
  });
}

function overRows(decision: Decision): Record<string, unknown>[] {
  return [...decision.noLongerDue].map((stepId) => ({ ...keyColumns(decision), step_id: stepId, guarded: true }));
}

function stepLetters(decision: Decision): Record<string, unknown>[] {
  return decision.letters.filter(({ stepId }) => decision.step(stepId)?.state === 'dead-lettered').map(({ stepId, code, message }) => letterRow(
    letterOfStep({ organisationId: decision.organisationId, runId: decision.runId, stepId, integrationId: decision.planned(stepId)?.integrationId ?? null }, { class: 'data', code, message }),
    true,
  ));
}

function letterRow(letter: LetterRow, isGuarded: boolean): Record<string, unknown> {
  const { record } = letter;
  return {
    organisation_id: letter.organisationId,
    id: letter.id,
    guarded: isGuarded,
    class: letter.class,
    code: storable(letter.code),
    message: storable(letter.message),
    run_id: uuidOrNull(letter.runId),
    step_id: storable(letter.stepId),
    integration_id: uuidOrNull(letter.integrationId),
    topic: storable(record?.topic ?? null),
    partition: record?.partition ?? null,
    record_offset: record === null ? null : String(record.offset),
    appended_at: record?.appendedAtMs ?? null,
    record_key: record?.key?.toString('base64') ?? null,
    record_value: record?.value?.toString('base64') ?? null,
    record_headers: record === null ? null : encodeHeaders(record.headers).toString('base64'),
  };
}

/** Words of ours and of providers, which PostgreSQL text must be able to hold. */
function storable(text: string | null): string | null {
  return text === null ? null : text.toWellFormed().replaceAll('\u0000', '\uFFFD');
}

function uuidOrNull(id: string | null): string | null {
  return id !== null && isUuid(id) ? id : null;
}
