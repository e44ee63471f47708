import { createReadStream } from 'node:fs';
import { parse } from 'csv-parse';
import { CommandUsage } from '../client/failure.js';

/** One row of the city's open data (MyLA311, 2017); any cell may be empty. */
export type ServiceRequest = Readonly<Record<'SRNumber' | 'CreatedDate' | 'ClosedDate' | 'RequestType' | 'RequestSource' | 'Status' | 'ActionTaken' | 'Owner' | 'Anonymous' | 'Address' | 'ZipCode' | 'NCName', string>>;

/** A CloudEvent in structured JSON form. */
export interface ContactEvent {
  readonly specversion: '1.0';
  readonly type: 'conversation_ended';
  readonly source: string;
  readonly id: string;
  readonly subject?: string;
  readonly time?: string;
  readonly datacontenttype: 'application/json';
  readonly data: Readonly<Record<string, unknown>>;
}

/** Rows of a CSV file with a header line. A row without a request number cannot become an event and is given to `onUnusable` with its line. */
export async function* readServiceRequests(file: string, onUnusable: (line: number, why: string) => void): AsyncGenerator<ServiceRequest> {
  const parser = parse({ columns: true, relax_column_count: true, skip_empty_lines: true, bom: true, info: true, trim: true });
  // pipe() does not hand errors on: a folder or an unreadable file would end the process.
  const rows = createReadStream(file).once('error', (error) => parser.destroy(error)).pipe(parser);
  try {
    for await (const { record, info } of rows as AsyncIterable<{ record: Record<string, string>; info: { lines: number } }>) {
      if (!record['SRNumber']) onUnusable(info.lines, 'it has no SRNumber');
      else yield record as ServiceRequest;
    }
  } catch (error) {
    throw CommandUsage.from(error, `reading ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** A contact about a place: the address is the subject, so that several contacts about one place keep their order. */
export function toEvent(row: ServiceRequest, source: string): ContactEvent {
  const startedAt = cityTime(row.CreatedDate);
  return {
    specversion: '1.0',
    type: 'conversation_ended',
    source,
    id: row.SRNumber,
    ...(row.Address ? { subject: row.Address } : {}),
    ...(startedAt === null ? {} : { time: startedAt }),
    datacontenttype: 'application/json',
    data: {
      conversation_id: row.SRNumber,
      channel: row.RequestSource || null,
      started_at: startedAt,
      ended_at: cityTime(row.ClosedDate),
      request_type: row.RequestType || null,
      summary: `${row.RequestType || 'Request'}${row.Address ? ` at ${row.Address}` : ''} (${row.ActionTaken || 'no action recorded'}, ${row.Owner || 'no owner'})`,
      address: row.Address || null,
      area: row.NCName || null,
      status: row.Status || null,
      // The data names nobody: a synthetic contact, the same for the same request.
      contact: { id: `resident-${row.SRNumber}`, name: `Resident of request ${row.SRNumber}` },
    },
  };
}

const cityZone = new Intl.DateTimeFormat('en-US', { timeZone: 'America/Los_Angeles', timeZoneName: 'longOffset' });

/** `12/31/2017 11:59:58 PM` on the city's clock → RFC 3339 with its offset; null where it is no such time. */
export function cityTime(text: string | undefined): string | null {
  const match = /^(\d{2})\/(\d{2})\/(\d{4}) (\d{2}):(\d{2}):(\d{2}) ([AP])M$/.exec(text ?? '');
  if (match === null) return null;
  const [, month, day, year, hour12, minute, second, half] = match;
  const hour = String((Number(hour12) % 12) + (half === 'P' ? 12 : 0)).padStart(2, '0');
  const local = `${year}-${month}-${day}T${hour}:${minute}:${second}`;
  const asUtc = new Date(`${local}Z`);
  if (Number.isNaN(asUtc.getTime())) return null;
  return `${local}${offsetAt(asUtc)}`;
}

function offsetAt(instant: Date): string {
  const name = cityZone.formatToParts(instant).find((part) => part.type === 'timeZoneName')?.value ?? 'GMT';
  return name === 'GMT' ? 'Z' : name.slice(3);
}
