import { unendedStepStates, type RunState, type StepState } from '@trunkline/chain';
import { inTenant, type Databases } from '@trunkline/storage';
import type { DrawnRun } from './run-line.js';
import type { LedgerStep } from './verdict.js';

interface RunRow {
  readonly run_id: string;
  readonly event_id: string;
  readonly subject: string | null;
  readonly state: RunState;
  readonly steps: string;
  readonly planned_us: string;
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

  /** Every step of every run, in planning order. */
  async steps(providerOf: (stepId: string) => string): Promise<readonly LedgerStep[]> {
    const rows = await this.runs('');
    return rows.flatMap((run) => stepsOf(run).map((step): LedgerStep => ({ organisationId: this.organisationId, runId: run.run_id, eventId: run.event_id, subject: run.subject, planned: Number(run.planned_us), provider: providerOf(step.id), state: step.state, isOrdered: providerOf(step.id) === 'techone' })));
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
    return this.read<RunRow>(`select run_id, event_id, run_events.subject, state, steps, (extract(epoch from planned_at) * 1000000)::bigint as planned_us, accepted_at, finished_at from runs join run_events using (organisation_id, run_id) where organisation_id = $1 ${more}`, values);
  }

  private async read<Row>(sql: string, values: readonly unknown[]): Promise<readonly Row[]> {
    return inTenant(this.databases, this.organisationId, async (client) => (await client.query(sql, [this.organisationId, ...values])).rows as Row[]);
  }
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
