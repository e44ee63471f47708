import { planRun, type PlannedStep, type StepProgress } from '@trunkline/chain';
import { hashOf, uuidFrom } from '@trunkline/contracts';
import { inOrganisations, type Databases } from '@trunkline/storage';
import type { PoolClient } from 'pg';
import { ReplayRefused, RunExpired } from '../errors.js';
import type { ActionCatalogue } from '../flush/catalogue.js';
import { loadRuns } from '../flush/load.js';
import type { LoadedRun } from '../flush/decision.js';
import { encodeCarried, encodeSteps, keyOf, type ChainRef } from '../run-row.js';
import type { Replay, ReplayAnswer } from './verbs.js';

interface ChainRow {
  readonly event_type: string;
  readonly assistant_id: string;
  readonly version: number;
  readonly steps: readonly PlannedStep[];
}

interface ReplaySurroundings {
  readonly databases: Pick<Databases, 'system'>;
  readonly catalogue: ActionCatalogue;
  newId(): string;
}

/**
 * A new run of the same event, linked to its root. With the root's effect keys nothing is done a second time; with `new_effects` it is a root of its own.
 * Only the row is made here: the ledger starts it.
 */
export async function replay(around: ReplaySurroundings, organisationId: string, runId: string, request: Replay): Promise<ReplayAnswer | null> {
  return inOrganisations(around.databases, [organisationId], async (client) => {
    const source = (await loadRuns(client, [{ organisationId, runId }])).get(keyOf({ organisationId, runId }));
    if (source === undefined) return null;
    const chain = await chainOf(client, organisationId, source, request.version);
    const root = source.row.rootRunId;
    await client.query('select 1 from runs where organisation_id = $1 and run_id = $2 for update', [organisationId, root]);
    const family = await familyOf(client, organisationId, root);
    await refuseExpired(client, organisationId, [runId, ...(request.newEffects ? [] : family.map((member) => member.row.runId))]);
    const steps = stepsOf(chain.steps, request, family);
    const answer = steps.map((step) => ({ id: step.id, name: nameOf(chain.steps, step.id), will: willOf(step, chain.steps, request, family, around.catalogue) }));
    if (request.dryRun) return { runId: null, steps: answer };
    const newRunId = uuidFrom(hashOf('replay', organisationId, runId, request.idempotencyKey ?? around.newId()));
    await insertReplay(client, source, chain, newRunId, steps, request.newEffects);
    return { runId: newRunId, steps: answer };
  });
}

async function chainOf(client: PoolClient, organisationId: string, { row, event }: LoadedRun, version: Replay['version']): Promise<{ readonly ref: ChainRef; readonly steps: readonly PlannedStep[] }> {
  const { rows } = version === 'pinned'
    ? await client.query<ChainRow>('select event_type, assistant_id, version, steps from chain_versions where organisation_id = $1 and event_type = $2 and assistant_id = $3 and version = $4', [organisationId, row.chain.eventType, row.chain.assistantId, row.chain.version])
    : await client.query<ChainRow>(
        `select event_type, assistant_id, version, steps from chain_versions where organisation_id = $1 and event_type = $2 and assistant_id in ($3, '') and valid_from <= clock_timestamp()
          order by assistant_id desc, valid_from desc, version desc limit 1`,
        [organisationId, event.type, event.assistantId ?? ''],
      );
  const found = rows[0];
  if (found === undefined) throw ReplayRefused.because(version === 'pinned' ? 'no chain was in force when the event was accepted; use version current' : 'no chain is in force for this event type');
  return { ref: { eventType: found.event_type, assistantId: found.assistant_id, version: found.version }, steps: found.steps };
}

async function familyOf(client: PoolClient, organisationId: string, root: string): Promise<readonly LoadedRun[]> {
  const { rows } = await client.query<{ run_id: string }>('select run_id from runs where organisation_id = $1 and run_id = $2 union all select run_id from runs where organisation_id = $1 and root_run_id = $2 and root_run_id <> run_id', [organisationId, root]);
  return [...(await loadRuns(client, rows.map((row) => ({ organisationId, runId: row.run_id })))).values()];
}

/** Without the event there is nothing to run, and without its results a family could do something a second time. */
async function refuseExpired(client: PoolClient, organisationId: string, runIds: readonly string[]): Promise<void> {
  const { rowCount } = await client.query('select from run_events where organisation_id = $1 and run_id = any ($2::uuid[]) and expired_at is not null limit 1', [organisationId, runIds]);
  if (rowCount !== 0) throw RunExpired.because('its contents, or those of the run it was replayed from, are no longer kept');
}

/** Steps before `from_step` stand as the family has done them. */
function stepsOf(planned: readonly PlannedStep[], request: Replay, family: readonly LoadedRun[]): readonly StepProgress[] {
  const { steps } = planRun({ steps: planned }, 0);
  if (request.fromStep === null) return steps;
  const from = planned.find((step) => step.id === request.fromStep || step.name === request.fromStep);
  if (from === undefined) throw ReplayRefused.because(`the chain has no step ${request.fromStep}`);
  return steps.map((step) => {
    const priority = planned.find((candidate) => candidate.id === step.id)?.priority ?? 0;
    if (priority >= from.priority) return step;
    const known = family.flatMap((member) => member.row.run.steps).find((candidate) => candidate.id === step.id && (candidate.state === 'done' || candidate.state === 'skipped'));
    if (known === undefined) throw ReplayRefused.because(`step ${step.id} comes before ${from.name} and is not done`);
    return { ...step, state: known.state, reason: 'recorded', result: known.result, externalId: known.externalId, ranked: known.state === 'done' ? 'ok' : 'none' };
  });
}

function willOf(step: StepProgress, planned: readonly PlannedStep[], request: Replay, family: readonly LoadedRun[], catalogue: ActionCatalogue): string {
  if (step.state !== 'waiting') return 'take the recorded result';
  if (request.newEffects) return 'run again with a new effect key: what exists at the provider is made a second time';
  const states = family.flatMap((member) => member.row.run.steps.filter((candidate) => candidate.id === step.id).map((candidate) => candidate.state));
  const definition = planned.find((candidate) => candidate.id === step.id);
  const isUpsert = definition !== undefined && catalogue.find(definition.provider, definition.action)?.repeat === 'upsert';
  if (states.includes('done')) return isUpsert ? 'call again with the same key' : 'take the recorded result';
  if (states.includes('unknown') || states.includes('sent')) return 'wait until the earlier run has settled';
  return 'run';
}

async function insertReplay(client: PoolClient, { row }: LoadedRun, chain: { readonly ref: ChainRef; readonly steps: readonly PlannedStep[] }, runId: string, steps: readonly StepProgress[], isNewFamily: boolean): Promise<void> {
  const { rowCount } = await client.query(
    `insert into runs (organisation_id, run_id, root_run_id, root_accepted_at, event_type, subject_hash, digest, chain_event_type, chain_assistant_id, chain_version, accepted_at, state, steps, carried)
      select r.organisation_id, $3, case when $4 then $3 else r.root_run_id end, case when $4 then date_trunc('milliseconds', clock_timestamp()) else r.root_accepted_at end, r.event_type, r.subject_hash, r.digest, $5, $6, $7,
        date_trunc('milliseconds', clock_timestamp()), case when $8 = '[]' then 'done' else 'running' end, $8, convert_to($9, 'UTF8')
      from runs r where r.organisation_id = $1 and r.run_id = $2 on conflict do nothing`,
    [row.organisationId, row.runId, runId, isNewFamily, chain.ref.eventType, chain.ref.assistantId, chain.ref.version, encodeSteps(steps), encodeCarried(steps)],
  );
  if (rowCount === 0) return;
  await client.query(
    `insert into run_events (organisation_id, run_id, type, source, event_id, subject, time, assistant_id, traceparent, data)
      select organisation_id, $3, type, source, event_id, subject, time, assistant_id, traceparent, data from run_events where organisation_id = $1 and run_id = $2`,
    [row.organisationId, row.runId, runId],
  );
  // Everybody's copy of the root is old from here on: its steps now ask the family.
  if (!isNewFamily) await client.query('update runs set has_replays = true, rev = rev + 1 where organisation_id = $1 and run_id = $2 and not has_replays', [row.organisationId, row.rootRunId]);
  await client.query(`insert into due_work (organisation_id, run_id, step_id, kind, due_at) values ($1, $2, '', 'start', clock_timestamp())`, [row.organisationId, runId]);
}

function nameOf(steps: readonly PlannedStep[], id: string): string {
  return steps.find((step) => step.id === id)?.name ?? id;
}
