import type { EventLog, Header } from '@trunkline/event-log';
import { failpoint } from '@trunkline/failpoints';
import { inOrganisations, type Databases } from '@trunkline/storage';
import { decodeHeaders, firstAppendedHeader, letterIdHeader } from '../flush/letter.js';

interface Letter {
  readonly organisationId: string;
  readonly id: string;
}

interface LetterRow {
  readonly organisation_id: string;
  readonly id: string;
  readonly topic: string;
  readonly times: number;
  readonly appended_at_ms: number | null;
  readonly record_key: Buffer | null;
  readonly record_value: Buffer | null;
  readonly record_headers: Buffer | null;
}

/** Sends dead-lettered records back to their topics as they were; two headers name the letter they came from and when they were first appended, so that the plan stays the one of that time (delivery §3). A letter the log does not take stays open, and due again after its lease. */
export async function redriveRecords(databases: Pick<Databases, 'system'>, eventLog: Pick<EventLog, 'append'>, letters: readonly Letter[], report: (error: unknown, act: string) => void): Promise<void> {
  if (letters.length === 0) return;
  const keys = keysOf(letters);
  const rows = await inOrganisations(databases, letters.map((letter) => letter.organisationId), async (client) => {
    const found = await client.query<LetterRow>(
      `select l.organisation_id, l.id, l.topic, l.times, (extract(epoch from l.appended_at) * 1000)::float8 as appended_at_ms, l.record_key, l.record_value, l.record_headers
        from json_to_recordset($1::json) k(organisation_id uuid, id uuid) join dead_letters l on l.organisation_id = k.organisation_id and l.id = k.id where l.topic is not null`,
      [keys],
    );
    return found.rows;
  });
  const refused = new Set<string>();
  await Promise.all(rows.map(async (row) => {
    try {
      await eventLog.append(row.topic, [{ key: row.record_key, value: row.record_value, headers: headersOf(row) }]);
    } catch (error) {
      refused.add(nameOf(row.organisation_id, row.id));
      report(error, `sending dead letter ${row.id} back to ${row.topic}`);
    }
  }));
  const timesOf = new Map(rows.map((row) => [nameOf(row.organisation_id, row.id), row.times]));
  const taken = letters.filter(({ organisationId, id }) => !refused.has(nameOf(organisationId, id))).map((letter) => ({ ...letter, times: timesOf.get(nameOf(letter.organisationId, letter.id)) ?? 0 }));
  if (taken.length === 0) return;
  failpoint('ledger.afterRedrive');
  await close(databases, taken);
}

/** P5: a record that has been dead-lettered again meanwhile has made its letter a new one, which stays open. */
async function close(databases: Pick<Databases, 'system'>, letters: readonly (Letter & { readonly times: number })[]): Promise<void> {
  const keys = JSON.stringify(letters.map(({ organisationId, id, times }) => ({ organisation_id: organisationId, id, times })));
  await inOrganisations(databases, letters.map((letter) => letter.organisationId), async (client) => {
    await client.query(
      `update dead_letters l set closed_at = clock_timestamp(), closed_because = 'redriven' from json_to_recordset($1::json) k(organisation_id uuid, id uuid, times integer) where l.organisation_id = k.organisation_id and l.id = k.id and l.times = k.times and l.closed_at is null`,
      [keys],
    );
    await client.query(`delete from due_work d using json_to_recordset($1::json) k(organisation_id uuid, id uuid) where d.organisation_id = k.organisation_id and d.run_id = k.id and d.kind = 'record'`, [keys]);
  });
}

function keysOf(letters: readonly Letter[]): string {
  return JSON.stringify(letters.map(({ organisationId, id }) => ({ organisation_id: organisationId, id })));
}

function nameOf(organisationId: string, id: string): string {
  return `${organisationId}/${id}`;
}

function headersOf(row: LetterRow): Header[] {
  const own = row.record_headers === null ? [] : decodeHeaders(row.record_headers);
  const kept = own.filter(([name]) => name !== letterIdHeader && !name.startsWith('x-dlq-'));
  const isFirst = !kept.some(([name]) => name === firstAppendedHeader);
  const first: Header[] = isFirst && row.appended_at_ms !== null ? [[firstAppendedHeader, Buffer.from(String(Math.floor(row.appended_at_ms)))]] : [];
  return [...kept, ...first, [letterIdHeader, Buffer.from(row.id)]];
}
