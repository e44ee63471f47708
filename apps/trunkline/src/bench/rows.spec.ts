import type { ContactEvent } from '../feed/service-request.js';
import { nthEvent, Rows } from './rows.js';

const rows: readonly ContactEvent[] = [
  { specversion: '1.0', type: 'conversation_ended', source: '/bench', id: 'one', subject: '1 HIGH ST', datacontenttype: 'application/json', data: { summary: 'a' } },
  { specversion: '1.0', type: 'conversation_ended', source: '/bench', id: 'two', datacontenttype: 'application/json', data: { summary: 'b' } },
];

it('rows come round again as new events of new places', () => {
  const events = [0, 1, 2, 3].map((index) => nthEvent(rows, index));
  expect(events.map(({ id }) => id)).toEqual(['one-r0', 'two-r0', 'one-r1', 'two-r1']);
  expect(events.map(({ subject }) => subject)).toEqual(['1 HIGH ST (0)', undefined, '1 HIGH ST (1)', undefined]);
  expect(events[2]?.data).toMatchObject({ summary: 'a', conversation_id: 'one-r1', contact: { id: 'resident-one-r1' } });
});

it('each taker gets rows that nobody else gets', async () => {
  const all = await Rows.read();
  const [mine, yours] = [all.take(2), all.take(2, { assistant: 'theirs' })];
  expect(new Set([mine(0).id, mine(1).id, yours(0).id, yours(1).id]).size).toBe(4);
  expect([mine(0).assistant, yours(0).assistant]).toEqual([undefined, 'theirs']);
});
