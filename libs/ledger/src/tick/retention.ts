import { inOrganisations, type Databases } from '@trunkline/storage';

const runsAtOnce = 2_000;

export interface Kept {
  readonly runsDays: number;
  readonly callsDays: number;
}

/**
 * The nightly clearing: ended runs with everything of theirs, then calls by dropping whole days. A run's id stands as long as its run is kept (delivery §3).
 * Organisations are found by their API keys, the one list of them that may be read without naming them first.
 */
export async function clearOld(databases: Pick<Databases, 'system'>, { runsDays, callsDays }: Kept): Promise<number> {
  const { rows } = await databases.system.query<{ organisation_id: string }>('select distinct organisation_id from api_key_index');
  let cleared = 0;
  for (const { organisation_id: organisationId } of rows) {
    for (let count = runsAtOnce; count === runsAtOnce; ) {
      count = await clearRuns(databases, organisationId, runsDays);
      cleared += count;
    }
    await clearRest(databases, organisationId, runsDays);
  }
  await databases.system.query('select keep_attempt_partitions(7, $1)', [callsDays]);
  return cleared;
}

/** Runs that have not ended stay, however old. */
async function clearRuns(databases: Pick<Databases, 'system'>, organisationId: string, days: number): Promise<number> {
  return inOrganisations(databases, [organisationId], async (client) => {
    const { rows } = await client.query<{ run_id: string }>(
      `delete from runs where organisation_id = $1 and run_id in (
        select run_id from runs where organisation_id = $1 and accepted_at > '-infinity' and accepted_at < clock_timestamp() - make_interval(days => $2) and finished_at < clock_timestamp() - make_interval(days => $2) order by accepted_at limit ${runsAtOnce})
        returning run_id`,
      [organisationId, days],
    );
    const ids = rows.map((row) => row.run_id);
    if (ids.length === 0) return 0;
    for (const table of ['run_events', 'intents', 'handovers', 'dead_letters', 'subject_holders', 'attempts']) await client.query(`delete from ${table} where organisation_id = $1 and run_id = any ($2::uuid[])`, [organisationId, ids]);
    return ids.length;
  });
}

async function clearRest(databases: Pick<Databases, 'system'>, organisationId: string, days: number): Promise<void> {
  await inOrganisations(databases, [organisationId], async (client) => {
    await client.query('delete from dead_letters where organisation_id = $1 and closed_at < clock_timestamp() - make_interval(days => $2)', [organisationId, days]);
    await client.query(
      `delete from subject_turns t where t.organisation_id = $1 and t.touched_at < clock_timestamp() - make_interval(days => $2)
        and not exists (select from subject_holders h where h.organisation_id = t.organisation_id and h.integration_id = t.integration_id and h.subject_hash = t.subject_hash)`,
      [organisationId, days],
    );
  });
}
