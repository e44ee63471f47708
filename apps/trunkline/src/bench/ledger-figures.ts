import { setTimeout as wait } from 'node:timers/promises';
import { inOrganisations, type Databases } from '@trunkline/storage';
import { say } from '../client/output.js';

type System = Pick<Databases, 'system'>;

/** No run has ended for so long: whatever is left is called unfinished. */
const patienceMs = 30_000;
/** The log stamps an event a little before or after our own clock. */
const clockSlackMs = 2_000;

/** Runs of these organisations that were accepted since; the index by time carries it, so that what the ledger held before costs nothing. */
export interface RunsOf {
  readonly organisationIds: readonly string[];
  readonly sinceMs: number;
}

const accepted = `organisation_id = any ($1::uuid[]) and accepted_at > '-infinity' and accepted_at >= to_timestamp($2::float8 / 1000)`;

function valuesOf({ organisationIds, sinceMs }: RunsOf): unknown[] {
  return [organisationIds, sinceMs - clockSlackMs];
}

/** Epoch ms at which each run's last step ended, by event id. */
export async function finishTimes(databases: System, runs: RunsOf): Promise<ReadonlyMap<string, number>> {
  const { rows } = await inOrganisations(databases, runs.organisationIds, (client) =>
    client.query<{ event_id: string; at: number }>(`select event_id, (extract(epoch from finished_at) * 1000)::float8 as at from runs join run_events using (organisation_id, run_id) where ${accepted} and state = 'done' and finished_at is not null`, valuesOf(runs)),
  );
  return new Map(rows.map(({ event_id: id, at }) => [id, at]));
}

/** Waits until so many runs are done; gives up when none has come to an end for `giveUpAfterMs`. Asks seldom, since the asking costs what is measured. */
export async function untilDone(databases: System, runs: RunsOf, wanted: number, giveUpAfterMs = patienceMs): Promise<number> {
  return untilCounted(() => countRuns(databases, runs, 'done'), wanted, 'done', giveUpAfterMs);
}

/** The same for runs that have been planned. */
export async function untilPlanned(databases: System, runs: RunsOf, wanted: number): Promise<number> {
  return untilCounted(() => countRuns(databases, runs, null), wanted, 'planned', patienceMs);
}

async function untilCounted(count: () => Promise<number>, wanted: number, what: string, giveUpAfterMs: number): Promise<number> {
  let before = -1;
  let movedAt = performance.now();
  for (;;) {
    const now = await count();
    if (now > before) movedAt = performance.now();
    if (now >= wanted || performance.now() - movedAt > giveUpAfterMs) return now;
    if (before >= 0 && wanted - now > 2000) say(`${now} of ${wanted} ${what}`);
    before = now;
    await wait(wanted - now > 2000 ? 2000 : 250);
  }
}

export async function countRuns(databases: System, runs: RunsOf, state: string | null): Promise<number> {
  const { rows } = await inOrganisations(databases, runs.organisationIds, (client) => client.query<{ count: string }>(`select count(*) as count from runs where ${accepted} and ($3::text is null or state = $3)`, [...valuesOf(runs), state]));
  return Number(rows[0]?.count ?? 0);
}

/** How many commands the ledger has sent for these runs: each sending has a number of its own in its step. */
export async function commandsSent(databases: System, runs: RunsOf): Promise<number> {
  const { rows } = await inOrganisations(databases, runs.organisationIds, (client) => client.query<{ sent: string | null }>(`select sum(found[1]::int) as sent from runs cross join lateral regexp_matches(steps, '"dispatch":([0-9]+)', 'g') found where ${accepted}`, valuesOf(runs)));
  return Number(rows[0]?.sent ?? 0);
}
