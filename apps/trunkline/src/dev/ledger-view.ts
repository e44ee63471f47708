import { effectKeyOf } from '@trunkline/contracts';
import { unendedStepStates, type RunState, type StepState } from '@trunkline/chain';
import { inTenant, type Databases } from '@trunkline/storage';
import type { DrawnRun } from './run-line.js';
import { demoChain } from './seed.js';
import type { LedgerStep } from './verdict.js';

interface RunRow {
  readonly run_id: string;
  readonly event_id: string;
  readonly subject: string | null;
  readonly state: RunState;
  readonly steps: string;
  readonly planned_us: string;
  readonly source: string;
  readonly root_run_id: string;
  readonly root_accepted_ms: number;
  readonly chain_version: number;
  readonly has_replays: boolean;
  readonly accepted_at: Date;
  readonly finished_at: Date | null;
}

interface StepRow {
  readonly id: string;
  readonly state: StepState;
}

export interface Standing {
  /** Steps of runs that are not all done. */
  readonly states: Readonly<Partial<Record<StepState, number>>>;
  readonly unended: number;
}

/** What the local platform's database says of the demo organisation; read with the tenant's own rights. */
export class LedgerView {
  constructor(
    private readonly databases: Databases,
    private readonly organisationId: string,
  ) {}

  async standing(): Promise<Standing> {
    const rows = await this.read<{ state: StepState; count: string }>(`select step->>'state' as state, count(*) as count from runs, jsonb_array_elements(steps::jsonb) step where organisation_id = $1 and runs.state <> 'done' group by 1`, []);
    const states = Object.fromEntries(rows.map(({ state, count }) => [state, Number(count)])) as Standing['states'];
    return { states, unended: unendedStepStates.reduce((sum, state) => sum + (states[state] ?? 0), 0) };
  }

  async countRuns(runIds: readonly string[], state?: RunState): Promise<number> {
    const rows = await this.read<{ count: string }>('select count(*) as count from runs where organisation_id = $1 and run_id = any($2::uuid[]) and ($3::text is null or state = $3)', [runIds, state ?? null]);
    return Number(rows[0]?.count ?? 0);
  }

  async missing(runIds: readonly string[]): Promise<readonly string[]> {
    const rows = await this.read<{ id: string }>('select id from unnest($2::uuid[]) id where not exists (select from runs where organisation_id = $1 and run_id = id)', [runIds]);
    return rows.map(({ id }) => id);
  }

  /** Every step of every run of the demo's chain, in planning order; runs of a chain that somebody has changed are theirs to judge. */
  async steps(since = new Date(0)): Promise<readonly LedgerStep[]> {
    const actions = new Map(demoChain(true).map((step) => [step.id, step.action]));
    const rows = await this.runs(`and chain_version = 1 and accepted_at > '-infinity' and accepted_at >= $2`, [since]);
    return rows.flatMap((run) => stepsOf(run).map((step): LedgerStep => ({
      organisationId: this.organisationId,
      runId: run.run_id,
      eventId: run.event_id,
      subject: run.subject,
      planned: Number(run.planned_us),
      provider: step.id,
      state: step.state,
      reference: effectKeyOf(this.organisationId, run.root_run_id, run.root_accepted_ms, step.id, actions.get(step.id) ?? ''),
      isToldByContent: isOurFeed(run.source) && !run.has_replays && run.root_run_id === run.run_id,
      isOrdered: step.id === 'techone',
    })));
  }

  /** Runs among these that were planned after `since`: the others had been published before. */
  async newRuns(runIds: readonly string[], since: Date): Promise<readonly string[]> {
    const rows = await this.read<{ run_id: string }>('select run_id from runs where organisation_id = $1 and run_id = any($2::uuid[]) and accepted_at >= $3', [runIds, since]);
    return rows.map((row) => row.run_id);
  }

  async stepStates(runIds: readonly string[]): Promise<Standing['states']> {
    const rows = await this.read<{ state: StepState; count: string }>(`select step->>'state' as state, count(*) as count from runs, jsonb_array_elements(steps::jsonb) step where organisation_id = $1 and run_id = any($2::uuid[]) group by 1`, [runIds]);
    return Object.fromEntries(rows.map(({ state, count }) => [state, Number(count)]));
  }

  /** What has waited for more than three seconds, and why. */
  async held(): Promise<readonly { readonly stepId: string; readonly state: StepState; readonly reason: string | null; readonly count: number }[]> {
    const rows = await this.read<{ id: string; state: StepState; reason: string | null; count: string }>(
      `select step->>'id' as id, step->>'state' as state, coalesce(step->>'reason', g.reason, case when i.paused then 'paused' end) as reason, count(*) as count
       from runs r cross join jsonb_array_elements(r.steps::jsonb) step
       join chain_versions c on c.organisation_id = r.organisation_id and c.event_type = r.chain_event_type and c.assistant_id = r.chain_assistant_id and c.version = r.chain_version
       cross join lateral (select planned->>'integrationId' as integration_id from jsonb_array_elements(c.steps) planned where planned->>'id' = step->>'id') p
       left join integrations i on i.organisation_id = r.organisation_id and i.id::text = p.integration_id
       left join gates g on g.organisation_id = r.organisation_id and g.integration_id::text = p.integration_id and g.open_at > clock_timestamp()
       where r.organisation_id = $1 and r.state in ('running', 'parked') and r.accepted_at < clock_timestamp() - interval '3 seconds' and step->>'state' in ('ready', 'deferred', 'unknown', 'parked')
       group by 1, 2, 3 order by 1, 2`,
      [],
    );
    return rows.map(({ id, state, reason, count }) => ({ stepId: id, state, reason, count: Number(count) }));
  }

  /** From acceptance to the end, sorted, of the runs named. */
  async durationsMs(runIds: readonly string[]): Promise<readonly number[]> {
    const rows = await this.read<{ ms: number }>(`select (extract(epoch from finished_at - accepted_at) * 1000)::float8 as ms from runs where organisation_id = $1 and run_id = any($2::uuid[]) and finished_at is not null order by 1`, [runIds]);
    return rows.map(({ ms }) => Math.round(ms));
  }

  async lastFinishedAtMs(runIds: readonly string[]): Promise<number | null> {
    const rows = await this.read<{ last: Date | null }>('select max(finished_at) as last from runs where organisation_id = $1 and run_id = any($2::uuid[])', [runIds]);
    return rows[0]?.last?.getTime() ?? null;
  }

  /** Runs that came to an end after `sinceMs`, oldest first. */
  async finishedSince(since: Date): Promise<readonly (DrawnRun & { readonly finishedAt: Date })[]> {
    const rows = await this.runs('and finished_at > $2 order by finished_at limit 200', [since]);
    return Promise.all(rows.map(async (run) => ({ ...(await this.draw(run)), finishedAt: run.finished_at ?? since })));
  }

  private async draw(run: RunRow): Promise<DrawnRun> {
    const attempts = await this.read<{ step_id: string; external: Buffer | null; ended: Date | null }>(
      `select step_id, result as external, started_at + duration_ms * interval '1 millisecond' as ended from attempts where organisation_id = $1 and run_id = $2 and outcome in ('ok', 'found') order by recorded_at`,
      [run.run_id],
    );
    const ended = new Map(attempts.map((attempt) => [attempt.step_id, attempt.ended]));
    const event = (await this.read<{ data: Buffer }>('select data from run_events where organisation_id = $1 and run_id = $2', [run.run_id]))[0];
    return {
      eventId: run.event_id,
      state: run.state,
      acceptedAtMs: run.accepted_at.getTime(),
      what: whatOf(event?.data),
      steps: stepsOf(run).map((step) => {
        const endedAt = ended.get(step.id);
        return { name: step.id, state: step.state, externalId: externalIdOf(step), reason: reasonOf(step), afterMs: endedAt ? Math.max(0, endedAt.getTime() - run.accepted_at.getTime()) : null };
      }),
    };
  }

  private runs(more: string, values: readonly unknown[] = []): Promise<readonly RunRow[]> {
    return this.read<RunRow>(`select run_id, event_id, run_events.subject, state, steps, (extract(epoch from planned_at) * 1000000)::bigint as planned_us, run_events.source, root_run_id, round(extract(epoch from root_accepted_at) * 1000)::float8 as root_accepted_ms, chain_version, has_replays, accepted_at, finished_at from runs join run_events using (organisation_id, run_id) where organisation_id = $1 ${more}`, values);
  }

  private async read<Row>(sql: string, values: readonly unknown[]): Promise<readonly Row[]> {
    return inTenant(this.databases, this.organisationId, async (client) => (await client.query(sql, [this.organisationId, ...values])).rows as Row[]);
  }
}

/** Sources whose ids are unique among themselves and stand in the texts. */
function isOurFeed(source: string): boolean {
  return source.startsWith('/demo/') || source.startsWith('/bench');
}

function stepsOf(run: Pick<RunRow, 'steps'>): readonly (StepRow & Readonly<Record<string, unknown>>)[] {
  return JSON.parse(run.steps) as readonly (StepRow & Record<string, unknown>)[];
}

function externalIdOf(step: Readonly<Record<string, unknown>>): string | null {
  return typeof step['external'] === 'string' ? step['external'] : null;
}

function reasonOf(step: Readonly<Record<string, unknown>>): string | null {
  return typeof step['reason'] === 'string' ? step['reason'] : null;
}

function whatOf(data: Buffer | undefined): string {
  try {
    const event = JSON.parse(data?.toString('utf8') ?? '{}') as { request_type?: unknown; summary?: unknown };
    return String(event.request_type ?? event.summary ?? '');
  } catch {
    return '';
  }
}
