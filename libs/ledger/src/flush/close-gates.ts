import type { PoolClient } from 'pg';
import type { Decision } from './decision.js';
import { isUuid } from './letter.js';

/** A throttle that does not say how long it lasts. */
const unnamedThrottleMs = 60_000;

/** A refusal of credentials that have been replaced since says nothing: a worker may have called with what it read seconds before somebody saved. Of the others the longest counts. Last in the order of locks: subjects, runs, gates, each sorted. A gate is never opened here, and never sooner than somebody else has closed it until. */
export async function closeGates(client: PoolClient, written: readonly Decision[], nowMs: number): Promise<void> {
  const closings = written.flatMap((decision) => decision.closings.filter(({ integrationId }) => isUuid(integrationId)).map(({ integrationId, untilMs, reason, seenAtMs, integrationVersion }) => ({
    organisation_id: decision.organisationId, integration_id: integrationId, open_at: closedUntilMs(reason, untilMs, nowMs), reason, seen_at: seenAtMs, version: integrationVersion,
  })));
  if (closings.length === 0) return;
  await client.query(
    `insert into gates (organisation_id, integration_id, open_at, reason, integration_version)
      select distinct on (g.organisation_id, g.integration_id) g.organisation_id, g.integration_id, case when g.open_at is null then 'infinity' else to_timestamp(g.open_at / 1000) end, g.reason, i.version
      from json_to_recordset($1::json) g(organisation_id uuid, integration_id uuid, open_at float8, reason text, seen_at float8, version int)
      join integrations i on i.organisation_id = g.organisation_id and i.id = g.integration_id
      where g.reason <> 'reconnect' or (i.updated_at < to_timestamp(g.seen_at / 1000) and i.version = coalesce(g.version, i.version))
      order by g.organisation_id, g.integration_id, g.open_at desc nulls first
      on conflict (organisation_id, integration_id) do update set open_at = excluded.open_at, reason = excluded.reason, changed_at = clock_timestamp(), integration_version = excluded.integration_version
        where gates.open_at < excluded.open_at or excluded.reason = 'reconnect' or (gates.reason = 'reconnect' and exists (select from integrations i where i.organisation_id = excluded.organisation_id and i.id = excluded.integration_id and (i.updated_at > gates.changed_at or i.version > gates.integration_version)))`,
    [JSON.stringify(closings)],
  );
}

/** Null: until somebody reconnects. */
export function closedUntilMs(reason: string, untilMs: number | null, nowMs: number): number | null {
  if (untilMs !== null) return untilMs;
  return reason === 'reconnect' ? null : nowMs + unnamedThrottleMs;
}
