import { inOrganisations, type Databases } from '@trunkline/storage';
import type { StoredWindow, WindowToStore } from './budget.js';

export interface StoredRow extends StoredWindow {
  /** Whose it was; null: nobody's yet. */
  readonly worker: string | null;
}

export interface BudgetRow extends WindowToStore {
  readonly organisationId: string;
  readonly integrationId: string;
}

interface Claimed {
  readonly name: string;
  readonly used: number;
  readonly stored_at_ms: string;
  readonly before: string | null;
}

/** `budget_windows`: what each integration's budget has used or may have, and whose the budget is. */
export class BudgetRows {
  constructor(
    private readonly databases: Databases,
    private readonly worker: string,
  ) {}

  /** Makes the windows this worker's and answers with what was stored in them. Whoever had them notices at the next store. */
  async claim(organisationId: string, integrationId: string, windows: readonly string[]): Promise<readonly StoredRow[]> {
    const { rows } = await inOrganisations(this.databases, [organisationId], (client) =>
      client.query<Claimed>(
        `with before as (select name, worker from budget_windows where organisation_id = $1 and integration_id = $2 and name = any($3::text[]) order by name for update)
         insert into budget_windows as b (organisation_id, integration_id, name, starts_at, used, worker, stored_at)
         select $1, $2, w.name, clock_timestamp(), 0, $4, clock_timestamp() from unnest($3::text[]) as w(name) order by w.name
         on conflict (organisation_id, integration_id, name) do update set worker = excluded.worker
         returning b.name, b.used, (extract(epoch from b.stored_at) * 1000)::bigint::text as stored_at_ms, (select before.worker from before where before.name = b.name) as before`,
        [organisationId, integrationId, windows, this.worker],
      ),
    );
    return rows.map((row) => ({ name: row.name, used: row.used, storedAtMs: Number(row.stored_at_ms), worker: row.before }));
  }

  /** Answers with the integrations that are another worker's by now: nothing of them was stored. */
  async store(given: readonly BudgetRow[]): Promise<ReadonlySet<string>> {
    const rows = given.toSorted((left, right) => (left.integrationId === right.integrationId ? compare(left.name, right.name) : compare(left.integrationId, right.integrationId)));
    if (rows.length === 0) return new Set();
    const stored = await inOrganisations(this.databases, rows.map(({ organisationId }) => organisationId), (client) =>
      client.query<{ integration_id: string; name: string }>(
        `insert into budget_windows as b (organisation_id, integration_id, name, starts_at, used, worker, stored_at)
         select organisation_id, integration_id, name, clock_timestamp() - make_interval(secs => window_ms / 1000.0), used, $6, clock_timestamp()
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::double precision[], $5::int[]) as w(organisation_id, integration_id, name, window_ms, used)
         on conflict (organisation_id, integration_id, name) do update set starts_at = excluded.starts_at, used = excluded.used, stored_at = excluded.stored_at
           where b.worker = excluded.worker
         returning b.integration_id, b.name`,
        [rows.map((row) => row.organisationId), rows.map((row) => row.integrationId), rows.map((row) => row.name), rows.map((row) => row.windowMs), rows.map((row) => row.used), this.worker],
      ),
    );
    const written = new Set(stored.rows.map((row) => `${row.integration_id}/${row.name}`));
    return new Set(rows.filter((row) => !written.has(`${row.integrationId}/${row.name}`)).map(({ integrationId }) => integrationId));
  }
}

function compare(left: string, right: string): number {
  return left < right ? -1 : Number(left > right);
}
