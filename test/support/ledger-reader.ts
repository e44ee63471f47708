import { Client } from 'pg';

export interface StepRow {
  readonly id: string;
  readonly state: string;
  readonly dispatch: number;
  readonly attempts: number;
  readonly reason: string | null;
  readonly dueAtMs: number | null;
  readonly externalId: string | null;
}

export interface RunRow {
  readonly runId: string;
  readonly eventId: string;
  readonly subject: string | null;
  readonly state: string;
  readonly chainVersion: number;
  readonly steps: readonly StepRow[];
}

export interface AttemptRow {
  readonly stepId: string;
  readonly dispatch: number;
  readonly kind: string;
  readonly outcome: string;
  readonly code: string | null;
  readonly startedAtMs: number | null;
  readonly durationMs: number | null;
  readonly recordedAtMs: number;
}

/** The column holds no zeroes and no nulls. */
interface StoredStep {
  readonly id: string;
  readonly state: string;
  readonly dispatch?: number;
  readonly attempts?: number;
  readonly reason?: string;
  readonly due?: number;
  readonly external?: string;
}

function stepOf({ id, state, dispatch = 0, attempts = 0, reason, due, external }: StoredStep): StepRow {
  return { id, state, dispatch, attempts, reason: reason ?? null, dueAtMs: due ?? null, externalId: external ?? null };
}

/** What the database holds, read as its owner and on a connection of its own each time: the server may have been killed meanwhile. */
export class LedgerReader {
  constructor(private readonly databaseUrl: string) {}

  async query<Row>(sql: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    const client = new Client({ connectionString: this.databaseUrl, connectionTimeoutMillis: 30_000 });
    // A connection that breaks later rejects its query too.
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query(sql, [...values])).rows as Row[];
    } finally {
      await client.end();
    }
  }

  async count(state?: string): Promise<number> {
    const [row] = await this.query<{ count: number }>('select count(*)::int as count from runs where $1::text is null or state = $1', [state ?? null]);
    return row?.count ?? 0;
  }

  /** Runs in the order in which they were planned. */
  async runs(): Promise<readonly RunRow[]> {
    const rows = await this.query<{ run_id: string; event_id: string; subject: string | null; state: string; chain_version: number; steps: string }>(
      'select run_id, event_id, e.subject, state, chain_version, steps from runs join run_events e using (organisation_id, run_id) order by planned_at, run_id',
    );
    return rows.map((row) => ({ runId: row.run_id, eventId: row.event_id, subject: row.subject, state: row.state, chainVersion: row.chain_version, steps: (JSON.parse(row.steps) as StoredStep[]).map(stepOf) }));
  }

  async run(runId: string): Promise<RunRow | undefined> {
    return (await this.runs()).find((run) => run.runId === runId);
  }

  async attempts(runId: string): Promise<readonly AttemptRow[]> {
    return this.query<AttemptRow>(
      `select step_id as "stepId", dispatch, kind, outcome, code, (extract(epoch from started_at) * 1000)::float8 as "startedAtMs", duration_ms as "durationMs", (extract(epoch from recorded_at) * 1000)::float8 as "recordedAtMs"
       from attempts where run_id = $1 order by recorded_at`,
      [runId],
    );
  }

  /** Event ids by subject in the order of planning. */
  async planned(): Promise<ReadonlyMap<string, readonly string[]>> {
    const bySubject = Map.groupBy((await this.runs()).filter(({ subject }) => subject !== null), ({ subject }) => subject ?? '');
    return new Map([...bySubject].map(([subject, runs]) => [subject, runs.map(({ eventId }) => eventId)]));
  }
}
