import { type RunState, runStates, type StepState, stepStates } from '@trunkline/chain';
import { inOrganisations, type Databases } from '@trunkline/storage';

export interface CountedStates {
  readonly runs: Readonly<Record<RunState, number>>;
  /** Steps of runs that are not wholly done. */
  readonly steps: Readonly<Record<StepState, number>>;
}

/** A count reads every run that is kept, so a scrape gets one that is at most so old. */
const freshMs = 60_000;

/** Runs and steps by state, over all organisations; every state is named, also where nothing is in it. */
export class StateCounts {
  private last: { readonly atMs: number; readonly counted: CountedStates } | null = null;

  constructor(
    private readonly databases: Pick<Databases, 'system'>,
    private readonly monotonicMs: () => number = () => performance.now(),
  ) {}

  async read(): Promise<CountedStates> {
    if (this.last !== null && this.monotonicMs() - this.last.atMs < freshMs) return this.last.counted;
    const counted = await this.count();
    this.last = { atMs: this.monotonicMs(), counted };
    return counted;
  }

  private async count(): Promise<CountedStates> {
    const { rows: organisations } = await this.databases.system.query<{ organisation_id: string }>('select distinct organisation_id from api_key_index');
    if (organisations.length === 0) return { runs: zeros(runStates), steps: zeros(stepStates) };
    return inOrganisations(this.databases, organisations.map((row) => row.organisation_id), async (client) => {
      const runs = await client.query<{ state: RunState; count: number }>('select state, count(*)::int as count from runs group by state');
      // The JSON of a step is written by us and holds no character that jsonb refuses but an escaped NUL in a provider's id; states are cut out as text instead.
      const steps = await client.query<{ state: StepState; count: number }>(`select found[1] as state, count(*)::int as count from runs cross join lateral regexp_matches(steps, '"state":"([a-z-]+)"', 'g') found where runs.state <> 'done' group by 1`);
      return { runs: { ...zeros(runStates), ...countsOf(runs.rows) }, steps: { ...zeros(stepStates), ...countsOf(steps.rows) } };
    });
  }
}

function zeros<State extends string>(states: readonly State[]): Record<State, number> {
  return Object.fromEntries(states.map((state) => [state, 0])) as Record<State, number>;
}

function countsOf<State extends string>(rows: readonly { readonly state: State; readonly count: number }[]): Partial<Record<State, number>> {
  return Object.fromEntries(rows.map(({ state, count }) => [state, count])) as Partial<Record<State, number>>;
}
