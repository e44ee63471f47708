import { inOrganisations, statementInOrganisations, type Databases } from '@trunkline/storage';
import type { Command } from '@trunkline/contracts';

export type IntentState = 'open' | 'void';

/** What became of a claim: the row is ours, or somebody was here before (delivery §6.1). */
export type Claim =
  | { readonly kind: 'inserted'; readonly expiresAtMs: number | null }
  | { readonly kind: 'found'; readonly state: IntentState; readonly expiresAtMs: number | null };

type Key = Pick<Command, 'organisationId' | 'runId' | 'stepId' | 'dispatch' | 'deadlineMs'>;

interface Waiting {
  readonly key: Key;
  readonly state: IntentState;
  readonly resolve: (claim: Claim) => void;
  readonly reject: (error: unknown) => void;
}

interface Row {
  readonly organisation_id: string;
  readonly run_id: string;
  readonly step_id: string;
  readonly dispatch: number;
  readonly state: IntentState;
  readonly expires_at_ms: string | null;
  readonly is_new: boolean;
}

const mostRows = 500;

// P4. Sorted, so that two workers that insert the same rows wait for each other in one order.
const insertIntents = `
  wanted as (
    select w.* from scope, unnest($2::uuid[], $3::uuid[], $4::text[], $5::int[], $6::text[], $7::int[]) as w(organisation_id, run_id, step_id, dispatch, state, deadline_ms) where scope.organisations <> ''
  )
  insert into intents (organisation_id, run_id, step_id, dispatch, state, expires_at, worker)
  select organisation_id, run_id, step_id, dispatch, state, case when state = 'open' then clock_timestamp() + deadline_ms * interval '1 millisecond' end, $8
  from wanted order by organisation_id, run_id, step_id, dispatch
  on conflict do nothing
  returning organisation_id, run_id, step_id, dispatch, state, (extract(epoch from expires_at) * 1000)::bigint::text as expires_at_ms, true as is_new`;

// Afterwards: what the insert found in its way is committed by now, and this one sees it.
const readIntents = `
  select i.organisation_id, i.run_id, i.step_id, i.dispatch, i.state, (extract(epoch from i.expires_at) * 1000)::bigint::text as expires_at_ms, false as is_new
  from intents i join unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[]) as w(organisation_id, run_id, step_id, dispatch)
    on i.organisation_id = w.organisation_id and i.run_id = w.run_id and i.step_id = w.step_id and i.dispatch = w.dispatch`;

/** Claims dispatches before anything is sent, many in one statement, one statement in flight. */
export class Intents {
  private waiting: Waiting[] = [];
  private isRunning = false;

  constructor(
    private readonly databases: Databases,
    private readonly worker: string,
  ) {}

  claim(key: Key, state: IntentState): Promise<Claim> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ key, state, resolve, reject });
      if (!this.isRunning) void this.run();
    });
  }

  private async run(): Promise<void> {
    this.isRunning = true;
    // What else this turn brings joins the first statement.
    await Promise.resolve();
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, mostRows);
      try {
        await this.settle(batch);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.isRunning = false;
  }

  private async settle(batch: readonly Waiting[]): Promise<void> {
    const keys = [...new Map(batch.map((waiting) => [nameOf(waiting.key), waiting])).values()];
    const columns = [keys.map(({ key }) => key.organisationId), keys.map(({ key }) => key.runId), keys.map(({ key }) => key.stepId), keys.map(({ key }) => key.dispatch)];
    const organisationIds = keys.map(({ key }) => key.organisationId);
    const inserted = await statementInOrganisations<Row>(this.databases, organisationIds, { name: 'insert-intents', text: insertIntents, values: [...columns, keys.map(({ state }) => state), keys.map(({ key }) => key.deadlineMs), this.worker] });
    const isNew = new Set(inserted.map(rowName));
    // Told at once: what is inserted is committed, whatever becomes of the question below.
    answer(batch.filter(({ key }) => isNew.has(nameOf(key))), inserted);
    const others = batch.filter(({ key }) => !isNew.has(nameOf(key)));
    if (others.length === 0) return;
    const { rows } = await inOrganisations(this.databases, organisationIds, (client) => client.query<Row>(readIntents, columns));
    answer(others, rows);
  }
}

/** Of several claims of one row in one batch only the last asked for the insert; it alone may call it its own. */
function answer(batch: readonly Waiting[], rows: readonly Row[]): void {
  const byName = new Map(rows.map((row) => [rowName(row), row]));
  const taken = new Set<string>();
  for (const { key, resolve, reject } of batch.toReversed()) {
    const name = nameOf(key);
    const row = byName.get(name);
    if (row === undefined) {
      reject(new Error(`intent ${name} was neither inserted nor found`));
      continue;
    }
    const expiresAtMs = row.expires_at_ms === null ? null : Number(row.expires_at_ms);
    resolve(row.is_new && !taken.has(name) ? { kind: 'inserted', expiresAtMs } : { kind: 'found', state: row.state, expiresAtMs });
    taken.add(name);
  }
}

function nameOf({ organisationId, runId, stepId, dispatch }: Key): string {
  return `${organisationId}/${runId}/${dispatch}/${stepId}`;
}

function rowName(row: Row): string {
  return `${row.organisation_id}/${row.run_id}/${row.dispatch}/${row.step_id}`;
}
