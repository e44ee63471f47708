import { randomUUID } from 'node:crypto';
import { startPostgresHarness, type PostgresHarness } from '../../testing/postgres-harness.js';
import { WakeUps } from './wake-up.js';

let harness: PostgresHarness;
beforeAll(async () => {
  harness = await startPostgresHarness();
}, 60_000);
afterAll(() => harness?.close());

it('a foreign NOTIFY that cannot be read ends nothing: later hints still arrive', async () => {
  const heard: (readonly number[])[] = [];
  const wakeUps = new WakeUps(harness.url, randomUUID(), ({ topicIds }) => heard.push(topicIds), () => undefined);
  await wakeUps.open();
  try {
    for (const payload of ['not json', '', 'null', '{"a":1}', '["other"]', '["other",[7],["group"]]']) await harness.pool.query('SELECT pg_notify($1, $2)', ['event_log', payload]);
    const giveUpAt = performance.now() + 10_000;
    while (heard.length === 0 && performance.now() < giveUpAt) await harness.pool.query('SELECT 1');
    expect(heard).toEqual([[7]]);
  } finally {
    await wakeUps.close();
  }
});
