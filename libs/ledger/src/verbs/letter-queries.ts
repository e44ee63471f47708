import { inTenant, type Databases } from '@trunkline/storage';
import type { PoolClient } from 'pg';
import { decodeHeaders } from '../flush/letter.js';
import { decodeCursor, encodeCursor } from './cursor.js';
import type { DeadLetter, DeadLetterDetail, DeadLetterFilter, Page } from './verbs.js';

export interface LetterRow {
  readonly id: string;
  readonly class: string;
  readonly code: string;
  readonly message: Buffer;
  readonly run_id: string | null;
  readonly step_id: string | null;
  readonly topic: string | null;
  readonly partition: number | null;
  readonly record_offset: string | null;
  readonly times: number;
  readonly first_at_ms: number;
  readonly last_us: string;
  readonly closed_at_ms: number | null;
}

interface RecordRow extends LetterRow {
  readonly record_key: Buffer | null;
  readonly record_value: Buffer | null;
  readonly record_headers: Buffer | null;
}

const columns = `id, class, code, message, run_id, step_id, topic, partition, record_offset, times, (extract(epoch from first_at) * 1000)::float8 as first_at_ms, (extract(epoch from last_at) * 1000000)::bigint::text as last_us,
  (extract(epoch from closed_at) * 1000)::float8 as closed_at_ms`;

export type LetterFilter = Omit<DeadLetterFilter, 'limit' | 'after'> & { readonly ids?: readonly string[] };

export async function findLetters(client: PoolClient, organisationId: string, filter: LetterFilter, limit: number, after?: string): Promise<readonly LetterRow[]> {
  const cursor = decodeCursor(after);
  const { rows } = await client.query<LetterRow>(
    `select ${columns} from dead_letters where organisation_id = $1
      and ($2::text is null or class = $2) and ($3::text is null or code = $3) and ($4::uuid is null or integration_id = $4) and ($5::uuid is null or run_id = $5)
      and ($6::boolean is null or (closed_at is null) = $6) and ($7::float8 is null or last_at >= to_timestamp($7 / 1000)) and ($8::float8 is null or last_at < to_timestamp($8 / 1000))
      and ($9::uuid[] is null or id = any ($9)) and ($10::bigint is null or (last_at, id) < (timestamptz 'epoch' + $10 * interval '1 microsecond', $11::uuid))
      order by last_at desc, id desc limit $12`,
    [organisationId, filter.class ?? null, filter.code ?? null, filter.integrationId ?? null, filter.runId ?? null, filter.isOpen ?? null, filter.afterMs ?? null, filter.beforeMs ?? null, filter.ids ?? null, cursor?.timeUs ?? null, cursor?.id ?? null, limit],
  );
  return rows;
}

/** Newest first. */
export async function listLetters(databases: Pick<Databases, 'tenant'>, organisationId: string, filter: DeadLetterFilter): Promise<Page<DeadLetter>> {
  const rows = await inTenant(databases, organisationId, (client) => findLetters(client, organisationId, filter, filter.limit + 1, filter.after));
  const items = rows.slice(0, filter.limit);
  const last = items.at(-1);
  return { items: items.map(letterView), next: rows.length > filter.limit && last !== undefined ? encodeCursor({ timeUs: last.last_us, id: last.id }) : null };
}

export async function showLetter(databases: Pick<Databases, 'tenant'>, organisationId: string, id: string): Promise<DeadLetterDetail | null> {
  const { rows } = await inTenant(databases, organisationId, (client) => client.query<RecordRow>(`select ${columns}, record_key, record_value, record_headers from dead_letters where organisation_id = $1 and id = $2`, [organisationId, id]));
  const row = rows[0];
  if (row === undefined) return null;
  const headers = row.record_headers === null ? null : decodeHeaders(row.record_headers);
  return { ...letterView(row), record: headers === null ? null : { key: row.record_key, value: row.record_value, headers } };
}

export function letterView(row: LetterRow): DeadLetter {
  return {
    id: row.id,
    class: row.class,
    code: row.code,
    message: row.message.toString('utf8'),
    runId: row.run_id,
    stepId: row.step_id,
    topic: row.topic,
    partition: row.partition,
    offset: row.record_offset,
    times: row.times,
    firstAtMs: row.first_at_ms,
    lastAtMs: Math.floor(Number(row.last_us) / 1_000),
    closedAtMs: row.closed_at_ms,
  };
}
