import type { Migration } from '../migration.js';
import { tenantFreeTable, tenantTable } from '../tenant-table.js';

/** Attempts are partitioned by UTC day; the role that writes them may not create tables, so this runs with its owner's rights and does nothing but this. */
const keepAttemptPartitions = `
create function keep_attempt_partitions(days_ahead integer, keep_days integer) returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  today date := (clock_timestamp() at time zone 'utc')::date;
  day date;
  old record;
begin
  for step in -1 .. least(days_ahead, 60) loop
    day := today + step;
    if to_regclass(format('attempts_%s', to_char(day, 'YYYYMMDD'))) is null then
      execute format('create table %I partition of attempts for values from (%L) to (%L)', 'attempts_' || to_char(day, 'YYYYMMDD'), day::timestamp at time zone 'utc', (day + 1)::timestamp at time zone 'utc');
    end if;
  end loop;
  for old in select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'attempts'::regclass and c.relname ~ '^attempts_[0-9]{8}$'
  loop
    if to_date(substr(old.relname, 10), 'YYYYMMDD') < today - greatest(keep_days, 1) then
      execute format('drop table %I', old.relname);
    end if;
  end loop;
end $$`;

/**
 * Runs and what happens to them. Hot tables have no foreign keys: checking them locks rows of `organisations` that every tenant's work would share.
 * Payloads are bytes: no NUL, half surrogate or 400-digit number can make a statement fail.
 */
export const ledger: Migration = {
  name: 'ledger',
  timestamp: 1_763_700_200_000,
  statements: [
    `create table runs (
      organisation_id uuid not null,
      run_id uuid not null,
      root_run_id uuid not null,
      root_accepted_at timestamptz not null,
      event_type text not null,
      subject_hash text,
      digest text not null,
      chain_event_type text not null default '',
      chain_assistant_id text not null default '',
      chain_version integer not null default 0,
      accepted_at timestamptz not null,
      planned_at timestamptz not null default clock_timestamp(),
      has_replays boolean not null default false,
      rev integer not null default 0,
      state text not null,
      steps text not null,
      carried bytea not null default '',
      finished_at timestamptz,
      primary key (organisation_id, run_id)
    ) with (fillfactor = 70)`,
    // Only columns that never change are indexed, so that every update of a run stays within its page (HOT). The condition is always true: it keeps this index out of every statement that does not say it too, since a plan made while the table is empty could take it where the primary key belongs.
    `create index runs_by_time on runs (organisation_id, accepted_at desc, run_id desc) where accepted_at > '-infinity'`,
    'create index runs_of_family on runs (organisation_id, root_run_id) where root_run_id <> run_id',
    ...tenantTable('runs', { tenantMay: ['select'] }),

    `create table run_events (
      organisation_id uuid not null,
      run_id uuid not null,
      type text not null,
      source text not null,
      event_id text not null,
      subject text,
      time text,
      assistant_id text,
      traceparent text,
      data bytea not null,
      primary key (organisation_id, run_id)
    )`,
    ...tenantTable('run_events', { tenantMay: ['select'] }),

    `create table attempts (
      organisation_id uuid not null,
      run_id uuid not null,
      recorded_at timestamptz not null,
      attempt_id uuid not null,
      step_id text not null,
      dispatch integer not null,
      integration_id uuid,
      kind text not null,
      outcome text not null,
      applied boolean not null,
      started_at timestamptz,
      duration_ms integer,
      http_status integer,
      provider_request_id text,
      method text,
      path text,
      code text,
      message bytea,
      input bytea,
      result bytea,
      worker text,
      primary key (organisation_id, run_id, recorded_at, attempt_id)
    ) partition by range (recorded_at)`,
    'create index attempts_by_integration on attempts (organisation_id, integration_id, recorded_at desc)',
    ...tenantTable('attempts', { tenantMay: ['select'] }),
    'create table attempts_other partition of attempts default',
    keepAttemptPartitions,
    'revoke all on function keep_attempt_partitions(integer, integer) from public',
    'grant execute on function keep_attempt_partitions(integer, integer) to app_system',
    'select keep_attempt_partitions(7, 14)',

    `create table dead_letters (
      organisation_id uuid not null,
      id uuid not null,
      class text not null,
      code text not null,
      message bytea not null,
      run_id uuid,
      step_id text,
      integration_id uuid,
      topic text,
      partition integer,
      record_offset bigint,
      appended_at timestamptz,
      record_key bytea,
      record_value bytea,
      record_headers bytea,
      times integer not null default 1,
      first_at timestamptz not null default clock_timestamp(),
      last_at timestamptz not null default clock_timestamp(),
      redriven_at timestamptz,
      closed_at timestamptz,
      closed_because text,
      primary key (organisation_id, id)
    )`,
    'create index dead_letters_by_time on dead_letters (organisation_id, last_at desc, id)',
    ...tenantTable('dead_letters', { tenantMay: ['select'] }),

    `create table gates (
      organisation_id uuid not null,
      integration_id uuid not null,
      open_at timestamptz not null,
      reason text not null,
      changed_at timestamptz not null default clock_timestamp(),
      primary key (organisation_id, integration_id)
    )`,
    ...tenantTable('gates', { tenantMay: ['select'] }),

    // Written by whoever is first, worker or sweeper; never updated (delivery §6.1, §8).
    `create table intents (
      organisation_id uuid not null,
      run_id uuid not null,
      step_id text not null,
      dispatch integer not null,
      state text not null check (state in ('open', 'void')),
      expires_at timestamptz,
      worker text,
      created_at timestamptz not null default clock_timestamp(),
      primary key (organisation_id, run_id, step_id, dispatch)
    )`,
    ...tenantTable('intents', { tenantMay: ['select'] }),

    `create table handovers (
      organisation_id uuid not null,
      run_id uuid not null,
      step_id text not null,
      dispatch integer not null,
      integration_id uuid,
      expires_at timestamptz not null,
      worker text,
      created_at timestamptz not null default clock_timestamp(),
      primary key (organisation_id, run_id, step_id, dispatch)
    )`,
    ...tenantTable('handovers', { tenantMay: ['select'] }),

    `create table budget_windows (
      organisation_id uuid not null,
      integration_id uuid not null,
      name text not null,
      starts_at timestamptz not null,
      used integer not null,
      worker text,
      stored_at timestamptz not null default clock_timestamp(),
      primary key (organisation_id, integration_id, name)
    ) with (fillfactor = 70)`,
    ...tenantTable('budget_windows', { tenantMay: ['select'] }),

    // The row whose lock decides about a subject, and the numbers it has given to runs that still hold it (delivery §3).
    `create table subject_turns (
      organisation_id uuid not null,
      integration_id uuid not null,
      subject_hash text not null,
      next_number bigint not null,
      touched_at timestamptz not null default clock_timestamp(),
      primary key (organisation_id, integration_id, subject_hash)
    ) with (fillfactor = 70)`,
    ...tenantTable('subject_turns', { tenantMay: ['select'] }),
    `create table subject_holders (
      organisation_id uuid not null,
      integration_id uuid not null,
      subject_hash text not null,
      number bigint not null,
      run_id uuid not null,
      primary key (organisation_id, integration_id, subject_hash, number)
    )`,
    ...tenantTable('subject_holders', { tenantMay: ['select'] }),

    // Exceptions only. `gate`: ready behind a closed or full gate; `turn`: ready, another run holds the subject; the rest says what falls due.
    `create table due_work (
      organisation_id uuid not null,
      run_id uuid not null,
      step_id text not null,
      kind text not null check (kind in ('gate', 'turn', 'wake', 'look-up', 'start', 'redrive', 'record')),
      integration_id uuid,
      due_at timestamptz not null,
      give_up_at timestamptz,
      leased_until timestamptz,
      primary key (organisation_id, run_id, step_id)
    )`,
    `create index due_work_by_time on due_work (due_at) where kind <> 'gate'`,
    `create index due_work_behind_gates on due_work (organisation_id, integration_id, due_at) where kind = 'gate'`,
    'create index due_work_to_give_up on due_work (give_up_at) where give_up_at is not null',
    ...tenantFreeTable('due_work'),

    `create table dispatches (
      id uuid primary key,
      instance text not null,
      items text not null,
      created_at timestamptz not null default clock_timestamp(),
      sweep_at timestamptz not null,
      sent_at timestamptz,
      leased_until timestamptz
    )`,
    'create index dispatches_unsent on dispatches (created_at) where sent_at is null',
    'create index dispatches_to_sweep on dispatches (sweep_at)',
    ...tenantFreeTable('dispatches'),

    // P8: a version that says it will be in force must be visible to every planner before it is. Deferred: runs as the last thing before the commit.
    `create function refuse_late_chain_version() returns trigger language plpgsql as $$ begin
      if clock_timestamp() > new.valid_from - interval '400 milliseconds' then
        raise exception 'chain version % of % took too long to commit', new.version, new.event_type using errcode = 'TL001';
      end if;
      return null;
    end $$`,
    `create constraint trigger chain_version_in_time after insert on chain_versions deferrable initially deferred
      for each row when (new.valid_from > new.created_at) execute function refuse_late_chain_version()`,
  ],
};
