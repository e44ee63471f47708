import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse } from 'csv-parse/sync';

type Row = Readonly<Record<'SRNumber' | 'RequestType' | 'RequestSource' | 'ActionTaken' | 'Owner' | 'Address' | 'ZipCode', string>>;

/** A CloudEvent as a publisher sends it. */
export interface CouncilEvent {
  readonly specversion: '1.0';
  readonly type: string;
  readonly source: string;
  readonly id: string;
  readonly subject?: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export const eventSource = '/contact-centre';

let rows: readonly Row[] | undefined;

/** Rows of the city's open data as events. The postcode is the subject, so that several events share one and their order can be judged. */
export function serviceRequests(count: number, from = 0): readonly CouncilEvent[] {
  rows ??= parse(readFileSync(join(resolve(__dirname, '..', '..'), 'apps', 'trunkline', 'data', 'service-requests.csv'), 'utf8'), { columns: true, trim: true, relax_column_count: true }) as Row[];
  return rows.slice(from, from + count).map(toEvent);
}

function toEvent(row: Row): CouncilEvent {
  return councilEvent(row.SRNumber, {
    ...(row.ZipCode && { subject: row.ZipCode }),
    data: { request_type: row.RequestType || null, channel: row.RequestSource || null, summary: `${row.RequestType} at ${row.Address} (${row.ActionTaken}, ${row.Owner})` },
  });
}

/** One call that ended; its contact is known by the event's own id. */
export function councilEvent(id: string, { data = {}, ...given }: Partial<CouncilEvent> = {}): CouncilEvent {
  return { specversion: '1.0', type: 'conversation_ended', source: eventSource, id, ...given, data: { conversation_id: id, summary: `What was said in ${id}`, contact: { id: `resident-${id}`, name: `Resident ${id}` }, ...data } };
}
