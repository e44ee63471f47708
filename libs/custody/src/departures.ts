import { inOrganisations } from '@trunkline/storage';
import type { CustodyDatabases } from './rewrap.js';
import { sweep } from './sweep.js';

/** Longer than a record lies in any topic. */
export const rememberedDays = 8;

/** Remembered anew when it has left before, and come back, and leaves again. */
export async function noteDeparture({ access }: Pick<CustodyDatabases, 'access'>, organisationId: string, leftAt: string): Promise<void> {
  await access.query('insert into departures (organisation, left_at) values ($1, $2) on conflict (organisation) do update set left_at = excluded.left_at', [organisationId, leftAt]);
}

export async function departureOf({ access }: Pick<CustodyDatabases, 'access'>, organisationId: string): Promise<string | null> {
  const { rows } = await access.query<{ left_at: Date }>('select left_at from departures where organisation = $1', [organisationId]);
  return rows[0]?.left_at.toISOString() ?? null;
}

/** Takes away what was written for organisations after they had left: by a transaction that was on its way, or by a worker that still had a command. An organisation that is there is left alone, so that one whose offboarding was ended in the middle waits for its operator. */
export async function clearDepartures(databases: Pick<CustodyDatabases, 'system' | 'access'>): Promise<void> {
  const { rows } = await databases.access.query<{ organisation: string; is_over: boolean }>('select organisation, left_at < now() - make_interval(days => $1) as is_over from departures order by left_at', [rememberedDays]);
  for (const { organisation, is_over: isOver } of rows) {
    const isThere = await inOrganisations(databases, [organisation], async (client) => (await client.query('select from organisations where id = $1', [organisation])).rowCount === 1);
    if (isThere) continue;
    await sweep(databases, organisation);
    if (isOver) await databases.access.query('delete from departures where organisation = $1 and left_at < now() - make_interval(days => $2)', [organisation, rememberedDays]);
  }
}
