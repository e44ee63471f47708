import { fileURLToPath } from 'node:url';
import { readServiceRequests, toEvent, type ContactEvent } from '../feed/service-request.js';
import type { BenchEvent, EventAt } from './load.js';

const source = '/bench/myla311';
const rowsFile = fileURLToPath(new URL('../../data/service-requests.csv', import.meta.url));

/** Real rows, as many as are wanted: each time round they get an id and a place of their own, so that every event is new and subjects meet as often as in the data. */
export class Rows {
  private taken = 0;

  private constructor(private readonly rows: readonly ContactEvent[]) {}

  static async read(): Promise<Rows> {
    const rows: ContactEvent[] = [];
    for await (const row of readServiceRequests(rowsFile, () => undefined)) rows.push(toEvent(row, source));
    return new Rows(rows);
  }

  /** The next `count` events; nobody else gets them. */
  take(count: number, more: Pick<BenchEvent, 'assistant'> = {}): EventAt {
    const from = this.taken;
    this.taken += count;
    return (index) => ({ ...nthEvent(this.rows, from + index), ...more });
  }
}

export function nthEvent(rows: readonly ContactEvent[], index: number): ContactEvent {
  const row = rows[index % rows.length] as ContactEvent;
  const round = Math.floor(index / rows.length);
  const id = `${row.id}-r${round}`;
  return { ...row, id, ...(row.subject === undefined ? {} : { subject: `${row.subject} (${round})` }), data: { ...row.data, conversation_id: id, contact: { id: `resident-${id}`, name: `Resident of request ${id}` } } };
}
