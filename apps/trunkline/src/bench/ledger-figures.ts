import { setTimeout as wait } from 'node:timers/promises';
import { inTenant, type Databases } from '@trunkline/storage';
import { say } from '../client/output.js';
import { demoOrganisation } from '../dev/seed.js';

/** Epoch ms at which each run's last step ended, by event id. */
export async function finishTimes(databases: Databases): Promise<ReadonlyMap<string, number>> {
  const { rows } = await inTenant(databases, demoOrganisation.id, (client) =>
    client.query<{ event_id: string; at: number }>(`select event_id, (extract(epoch from finished_at) * 1000)::float8 as at from runs join run_events using (organisation_id, run_id) where organisation_id = $1 and state = 'done' and finished_at is not null`, [demoOrganisation.id]),
  );
  return new Map(rows.map(({ event_id: id, at }) => [id, at]));
}

/** Waits until so many runs are done; gives up when none has come to an end for `patienceMs`. Asks seldom, since the asking costs what is measured. */
export async function untilDone(databases: Databases, wanted: number, patienceMs: number): Promise<number> {
  let done = -1;
  let movedAt = performance.now();
  for (;;) {
    const now = await countDone(databases);
    if (now > done) movedAt = performance.now();
    if (now >= wanted || performance.now() - movedAt > patienceMs) return now;
    if (done >= 0 && wanted > 2000) say(`${now} of ${wanted} done`);
    done = now;
    await wait(wanted - now > 2000 ? 2000 : 250);
  }
}

async function countDone(databases: Databases): Promise<number> {
  const { rows } = await inTenant(databases, demoOrganisation.id, (client) => client.query<{ count: string }>(`select count(*) as count from runs where organisation_id = $1 and state = 'done'`, [demoOrganisation.id]));
  return Number(rows[0]?.count ?? 0);
}
