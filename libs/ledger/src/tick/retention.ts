import { clearDepartures } from '@trunkline/custody';
import { planOf } from '@trunkline/identity';
import { type Databases, inOrganisations } from '@trunkline/storage';
import type { PoolClient } from 'pg';

const runsAtOnce = 2_000;

export interface Kept {
  /** How long runs are kept at least, and what stands for an organisation without a plan. */
  readonly runsDays: number;
  readonly callsDays: number;
}

/** What a clearing took away, over all organisations. */
export interface Cleared {
  readonly organisations: number;
  /** Runs that are gone, ids and all: an id may be used again. */
  readonly runs: number;
  /** Runs of which ids and states alone are left. */
  readonly expired: number;
  /** Dead letters that belong to no run that is left. */
  readonly deadLetters: number;
}

type RetentionDatabases = Pick<Databases, 'system'> & Partial<Pick<Databases, 'access'>>;

/**
 * The clearing: what a plan keeps no longer loses its contents, runs past their time go with everything of theirs, and calls go by whole days.
 * What was written late for an organisation that has left goes as a whole.
 * A run's id stands for `runsDays` at least, whatever the plan: within that time a repeated event is known as one (delivery §3).
 */
export async function clearOld(databases: RetentionDatabases, { runsDays, callsDays }: Kept): Promise<Cleared> {
  const organisations = await organisationsIn(databases);
  const cleared = { runs: 0, expired: 0, deadLetters: 0 };
  for (const organisationId of organisations) {
    const contentDays = (await planDays(databases, organisationId)) ?? runsDays;
    const idsDays = Math.max(runsDays, contentDays);
    cleared.runs += await inPages(() => inOrganisations(databases, [organisationId], (client) => clearRuns(client, organisationId, idsDays)));
    if (contentDays < idsDays) cleared.expired += await expireAll(databases, organisationId, contentDays);
    cleared.deadLetters += await inOrganisations(databases, [organisationId], (client) => clearRest(client, organisationId, contentDays, idsDays));
  }
  if (databases.access !== undefined) await clearDepartures({ system: databases.system, access: databases.access });
  await databases.system.query('select keep_attempt_partitions(7, $1)', [callsDays]);
  return { organisations: organisations.length, ...cleared };
}

/** Nobody may list organisations; who has a key or an account says where to look. */
async function organisationsIn({ system, access }: RetentionDatabases): Promise<readonly string[]> {
  const byKey = await system.query<{ id: string }>('select distinct organisation_id as id from api_key_index');
  const byPerson = await access?.query<{ id: string }>('select distinct unnest(organisations) as id from users');
  return [...new Set([...byKey.rows, ...(byPerson?.rows ?? [])].map(({ id }) => id))];
}

/** Null: no plan was given. */
async function planDays(databases: RetentionDatabases, organisationId: string): Promise<number | null> {
  return inOrganisations(databases, [organisationId], async (client) => {
    const { rows } = await client.query<{ plan: string; overrides: Record<string, unknown> }>('select plan, overrides from organisation_plans where organisation_id = $1', [organisationId]);
    const [row] = rows;
    // A day at least: what was accepted this minute is not over.
    return row === undefined ? null : Math.max(1, planOf(row.plan, row.overrides).limits.retentionDays);
  });
}

async function inPages(page: () => Promise<number>): Promise<number> {
  for (let total = 0; ; ) {
    const count = await page();
    total += count;
    if (count < runsAtOnce) return total;
  }
}

/** Runs that have not ended stay, however old. */
async function clearRuns(client: PoolClient, organisationId: string, days: number): Promise<number> {
  const { rows } = await client.query<{ run_id: string }>(
    `delete from runs where organisation_id = $1 and run_id in (
      select run_id from runs where organisation_id = $1 and accepted_at > '-infinity' and accepted_at < clock_timestamp() - make_interval(days => $2) and finished_at < clock_timestamp() - make_interval(days => $2) order by accepted_at limit ${runsAtOnce})
      returning run_id`,
    [organisationId, days],
  );
  await deleteOf(client, organisationId, rows.map((row) => row.run_id), ['run_events', 'intents', 'handovers', 'dead_letters', 'subject_holders', 'attempts']);
  return rows.length;
}

interface Cursor {
  readonly at: string;
  readonly runId: string;
}

const beginning: Cursor = { at: '-infinity', runId: '00000000-0000-0000-0000-000000000000' };

/** Page by page through everything past its days, the expired ones too: each statement is short, however much there is. */
async function expireAll(databases: RetentionDatabases, organisationId: string, days: number): Promise<number> {
  let expired = 0;
  for (let after: Cursor | null = beginning; after !== null; ) {
    const page: ExpiredPage = await expirePage(databases, organisationId, days, after);
    expired += page.expired;
    after = page.next;
  }
  return expired;
}

interface ExpiredPage {
  readonly expired: number;
  readonly next: Cursor | null;
}

/** Ids, states and the digest stay, so that a repeat is still known as one. A run whose replays are still at work keeps its results for them. */
async function expirePage(databases: RetentionDatabases, organisationId: string, days: number, after: Cursor): Promise<ExpiredPage> {
  return inOrganisations(databases, [organisationId], async (client) => {
    const { rows } = await client.query<{ run_id: string; at: string; is_due: boolean }>(
      `select r.run_id, r.accepted_at::text as at, r.finished_at < clock_timestamp() - make_interval(days => $2) and e.run_id is not null and e.expired_at is null as is_due
        from (select * from runs where organisation_id = $1 and accepted_at > '-infinity' and accepted_at < clock_timestamp() - make_interval(days => $2) and (accepted_at, run_id) > ($3::timestamptz, $4::uuid) order by accepted_at, run_id limit ${runsAtOnce}) r
        left join run_events e on e.organisation_id = r.organisation_id and e.run_id = r.run_id order by r.accepted_at, r.run_id`,
      [organisationId, days, after.at, after.runId],
    );
    const last = rows.at(-1);
    const due = rows.filter((row) => row.is_due).map((row) => row.run_id);
    const expired = due.length === 0 ? 0 : await expire(client, organisationId, due);
    return { expired, next: rows.length < runsAtOnce || last === undefined ? null : { at: last.at, runId: last.run_id } };
  });
}

async function expire(client: PoolClient, organisationId: string, runIds: readonly string[]): Promise<number> {
  // Locked first and looked at again: a replay that was made meanwhile is seen, and so is what another instance has cleared.
  await client.query('select from runs where organisation_id = $1 and run_id = any ($2::uuid[]) order by run_id for update', [organisationId, runIds]);
  const { rows } = await client.query<{ run_id: string }>(
    `select run_id from runs r where organisation_id = $1 and run_id = any ($2::uuid[]) and finished_at is not null
      and exists (select from run_events e where e.organisation_id = r.organisation_id and e.run_id = r.run_id and e.expired_at is null)
      and not (has_replays and exists (select from runs other where other.organisation_id = r.organisation_id and other.root_run_id = r.run_id and other.root_run_id <> other.run_id and other.finished_at is null))`,
    [organisationId, runIds],
  );
  const ids = rows.map((row) => row.run_id);
  // Everybody's copy of the run is old from here on.
  await client.query(`update runs set carried = '', subject_hash = null, rev = rev + 1 where organisation_id = $1 and run_id = any ($2::uuid[])`, [organisationId, ids]);
  await client.query(`update run_events set data = '', subject = null, traceparent = null, expired_at = clock_timestamp() where organisation_id = $1 and run_id = any ($2::uuid[])`, [organisationId, ids]);
  await deleteOf(client, organisationId, ids, ['dead_letters', 'attempts']);
  return ids.length;
}

async function deleteOf(client: PoolClient, organisationId: string, runIds: readonly string[], tables: readonly string[]): Promise<void> {
  if (runIds.length === 0) return;
  for (const table of tables) await client.query(`delete from ${table} where organisation_id = $1 and run_id = any ($2::uuid[])`, [organisationId, runIds]);
}

async function clearRest(client: PoolClient, organisationId: string, contentDays: number, idsDays: number): Promise<number> {
  const { rowCount } = await client.query('delete from dead_letters where organisation_id = $1 and (closed_at < clock_timestamp() - make_interval(days => $2) or (run_id is null and last_at < clock_timestamp() - make_interval(days => $2)))', [organisationId, contentDays]);
  await client.query(
    `delete from subject_turns t where t.organisation_id = $1 and t.touched_at < clock_timestamp() - make_interval(days => $2)
      and not exists (select from subject_holders h where h.organisation_id = t.organisation_id and h.integration_id = t.integration_id and h.subject_hash = t.subject_hash)`,
    [organisationId, idsDays],
  );
  return rowCount ?? 0;
}
