import { readServiceRequests, toEvent, type ContactEvent } from '../feed/service-request.js';

const source = '/bench/myla311';

/** Real rows, as many as are wanted: each time round they get an id and a place of their own, so that every event is new and subjects meet as often as in the data. */
export async function benchEvents(file: string): Promise<(index: number) => ContactEvent> {
  const rows: ContactEvent[] = [];
  for await (const row of readServiceRequests(file, () => undefined)) rows.push(toEvent(row, source));
  return (index) => nthEvent(rows, index);
}

export function nthEvent(rows: readonly ContactEvent[], index: number): ContactEvent {
  const row = rows[index % rows.length] as ContactEvent;
  const round = Math.floor(index / rows.length);
  const id = `${row.id}-r${round}`;
  return { ...row, id, ...(row.subject === undefined ? {} : { subject: `${row.subject} (${round})` }), data: { ...row.data, conversation_id: id, contact: { id: `resident-${id}`, name: `Resident of request ${id}` } } };
}
