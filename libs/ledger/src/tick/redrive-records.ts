import type { EventLog, Header } from '@trunkline/event-log';
import { inOrganisations, type Databases } from '@trunkline/storage';
import { decodeHeaders, firstAppendedHeader, letterIdHeader } from '../flush/letter.js';

interface LetterRow {
  readonly organisation_id: string;
  readonly id: string;
  readonly topic: string;
  readonly appended_at_ms: number | null;
  readonly record_key: Buffer | null;
  readonly record_value: Buffer | null;
  readonly record_headers: Buffer | null;
}

/** Sends dead-lettered records back to their topics as they were; two headers name the letter they came from and when they were first appended, so that the plan stays the one of that time (delivery §3). */
export async function redriveRecords(databases: Pick<Databases, 'system'>, eventLog: Pick<EventLog, 'append'>, letters: readonly { readonly organisationId: string; readonly id: string }[]): Promise<void> {
  if (letters.length === 0) return;
  const keys = JSON.stringify(letters.map(({ organisationId, id }) => ({ organisation_id: organisationId, id })));
  const organisations = letters.map((letter) => letter.organisationId);
  const rows = await inOrganisations(databases, organisations, async (client) => {
    const found = await client.query<LetterRow>(
      `select l.organisation_id, l.id, l.topic, (extract(epoch from l.appended_at) * 1000)::float8 as appended_at_ms, l.record_key, l.record_value, l.record_headers
        from json_to_recordset($1::json) k(organisation_id uuid, id uuid) join dead_letters l on l.organisation_id = k.organisation_id and l.id = k.id where l.topic is not null`,
      [keys],
    );
    return found.rows;
  });
  for (const [topic, group] of Map.groupBy(rows, (row) => row.topic)) await eventLog.append(topic, group.map((row) => ({ key: row.record_key, value: row.record_value, headers: headersOf(row) })));
  await inOrganisations(databases, organisations, async (client) => {
    await client.query(
      `update dead_letters l set closed_at = clock_timestamp(), closed_because = 'redriven' from json_to_recordset($1::json) k(organisation_id uuid, id uuid) where l.organisation_id = k.organisation_id and l.id = k.id and l.closed_at is null`,
      [keys],
    );
    await client.query(`delete from due_work d using json_to_recordset($1::json) k(organisation_id uuid, id uuid) where d.organisation_id = k.organisation_id and d.run_id = k.id and d.kind = 'record'`, [keys]);
  });
}

function headersOf(row: LetterRow): Header[] {
  const own = row.record_headers === null ? [] : decodeHeaders(row.record_headers);
  const kept = own.filter(([name]) => name !== letterIdHeader && !name.startsWith('x-dlq-'));
  const isFirst = !kept.some(([name]) => name === firstAppendedHeader);
  const first: Header[] = isFirst && row.appended_at_ms !== null ? [[firstAppendedHeader, Buffer.from(String(Math.floor(row.appended_at_ms)))]] : [];
  return [...kept, ...first, [letterIdHeader, Buffer.from(row.id)]];
}
