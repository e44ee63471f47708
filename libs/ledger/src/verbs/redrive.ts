import { inOrganisations, type Databases } from '@trunkline/storage';
import type { PoolClient } from 'pg';
import { findLetters, letterView, type LetterRow } from './letter-queries.js';
import type { Redrive, RedriveAnswer } from './verbs.js';

const mostAtOnce = 10_000;
const sampleSize = 10;
/** A record dead-lettered so often needs somebody who says that this time is different (delivery §9). */
const needsForce = 3;

/** Makes letters due, at the pace asked for; the ledger's processes do the rest. Repeating it does nothing twice. */
export async function redrive(databases: Pick<Databases, 'system'>, organisationId: string, request: Redrive): Promise<RedriveAnswer> {
  return inOrganisations(databases, [organisationId], async (client) => {
    const letters = await findLetters(client, organisationId, { ...request.filter, isOpen: true, ...(request.ids && { ids: request.ids }) }, mostAtOnce);
    const refused = letters.flatMap((letter) => {
      const reason = refusalOf(letter, request.force);
      return reason === null ? [] : [{ id: letter.id, reason }];
    });
    const refusedIds = new Set(refused.map(({ id }) => id));
    const taken = letters.filter((letter) => !refusedIds.has(letter.id));
    const renumbered = await countRenumbered(client, organisationId, taken);
    if (!request.dryRun) await makeDue(client, organisationId, taken, request.perSecond);
    return {
      matched: letters.length,
      redriven: request.dryRun ? 0 : taken.length,
      renumbered,
      refused,
      byClass: Object.fromEntries([...Map.groupBy(letters, (letter) => letter.class)].map(([name, group]) => [name, group.length])),
      sample: letters.slice(0, sampleSize).map(letterView),
    };
  });
}

function refusalOf(letter: LetterRow, isForced: boolean): string | null {
  if (letter.topic === null && (letter.run_id === null || letter.step_id === null)) return 'neither a step nor a record';
  return letter.times >= needsForce && !isForced ? `dead-lettered ${letter.times} times; use force` : null;
}

/** A redriven run has let go of its subjects; where its chain keeps their order, it comes behind what has arrived since. */
async function countRenumbered(client: PoolClient, organisationId: string, letters: readonly LetterRow[]): Promise<number> {
  const { rows } = await client.query<{ count: number }>(
    `select count(*)::int as count from runs r
      join chain_versions c on c.organisation_id = r.organisation_id and c.event_type = r.chain_event_type and c.assistant_id = r.chain_assistant_id and c.version = r.chain_version
      where r.organisation_id = $1 and r.run_id = any ($2::uuid[]) and r.subject_hash is not null and c.steps @> '[{"ordering": "subject"}]'`,
    [organisationId, [...new Set(letters.flatMap((letter) => (letter.topic === null && letter.run_id !== null ? [letter.run_id] : [])))]],
  );
  return rows[0]?.count ?? 0;
}

/** A record goes back to its topic; a step's run is redriven as a whole, whichever of its letters was named. */
async function makeDue(client: PoolClient, organisationId: string, letters: readonly LetterRow[], perSecond: number | null): Promise<void> {
  const work = new Map(letters.map((letter) => (letter.topic === null ? [`redrive ${letter.run_id}`, { run_id: letter.run_id, kind: 'redrive' }] : [`record ${letter.id}`, { run_id: letter.id, kind: 'record' }])));
  const paceMs = perSecond === null || perSecond <= 0 ? 0 : 1_000 / perSecond;
  await client.query(
    `insert into due_work (organisation_id, run_id, step_id, kind, due_at)
      select $1, w.run_id, '', w.kind, clock_timestamp() + w.after_ms * interval '1 millisecond' from json_to_recordset($2::json) w(run_id uuid, kind text, after_ms float8)
      on conflict (organisation_id, run_id, step_id) do nothing`,
    [organisationId, JSON.stringify([...work.values()].map((row, index) => ({ ...row, after_ms: Math.round(index * paceMs) })))],
  );
  await client.query('update dead_letters set redriven_at = clock_timestamp() where organisation_id = $1 and id = any ($2::uuid[])', [organisationId, letters.map((letter) => letter.id)]);
}
