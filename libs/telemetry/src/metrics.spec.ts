import type { BatchConsumer, EventLog, StoredRecord } from '@trunkline/event-log';
import { meteredEventLog } from './metered-log.js';
import { createMetrics } from './metrics.js';

it('shows every figure under its name', async () => {
  const metrics = createMetrics();
  metrics.recordsIn('results', 3);
  metrics.recordsOut('results', 'ledger', 'done', 2);
  metrics.topicLag('results', 'ledger', { records: 1, oldestAgeSeconds: 2.5 });
  metrics.providerCall('genesys', 'log_conversation', 'ok', 120);
  metrics.providerThrottled('genesys', '429');
  metrics.breaker('genesys', 'open');
  metrics.closedGates([{ provider: 'genesys', reason: 'throttled', count: 1 }]);
  metrics.stepsInState('waiting', 7);
  metrics.runsInState('done', 9);
  const { text, contentType } = await metrics.scrape();
  expect(contentType).toContain('text/plain');
  for (const line of [
    'trunkline_topic_in_records_total{topic="results"} 3',
    'trunkline_topic_out_records_total{topic="results",group="ledger",outcome="done"} 2',
    'trunkline_topic_lag_records{topic="results",group="ledger"} 1',
    'trunkline_topic_oldest_age_seconds{topic="results",group="ledger"} 2.5',
    'trunkline_provider_call_seconds_count{provider="genesys",action="log_conversation",outcome="ok"} 1',
    'trunkline_provider_throttles_total{provider="genesys",reason="429"} 1',
    'trunkline_provider_breaker_open{provider="genesys"} 1',
    'trunkline_gates_closed{provider="genesys",reason="throttled"} 1',
    'trunkline_steps{state="waiting"} 7',
    'trunkline_runs{state="done"} 9',
  ]) expect(text).toContain(line);
});

it('keeps the registries of two apps apart', async () => {
  createMetrics().recordsIn('results', 1);
  expect((await createMetrics().scrape()).text).not.toContain('topic="results"');
});

it('answers a scrape although a figure cannot be read', async () => {
  const metrics = createMetrics({ scrapeTimeoutMs: 20 });
  metrics.onScrape(() => new Promise(() => undefined));
  metrics.onScrape(() => Promise.reject(new Error('the database is away')));
  expect((await metrics.scrape()).text).toContain('trunkline_scrape_failures_total 2');
});

it('counts what goes through an event log and reads its lag at the scrape', async () => {
  const metrics = createMetrics();
  const record = { topic: 'results', partition: 0, offset: 0n, appendedAtMs: 0, key: null, value: null, headers: [] } satisfies StoredRecord;
  let consumer: BatchConsumer | undefined;
  const inner = {
    driver: 'postgres',
    append: async () => [],
    consume: async (given: BatchConsumer) => {
      consumer = given;
    },
    lag: async () => [0, 1].map((partition) => ({ topic: 'results', partition, endOffset: 5n, committed: 3n, lag: 2n, oldestUnreadAtMs: partition === 0 ? null : 10_000 })),
    clockOffsetMs: () => 500,
  } as unknown as EventLog;
  const log = meteredEventLog(inner, metrics, () => 12_000);
  await log.append('results', [record, record]);
  await log.consume({ mode: 'batch', group: 'ledger', topics: ['results'], maxRecords: 10, handleBatch: async () => [{ kind: 'done' }, { kind: 'parked', reason: 'x' }] });
  expect(await consumer?.handleBatch([record, record])).toHaveLength(2);
  const { text } = await metrics.scrape();
  for (const line of ['in_records_total{topic="results"} 2', 'outcome="done"} 1', 'outcome="parked"} 1', 'lag_records{topic="results",group="ledger"} 4', 'oldest_age_seconds{topic="results",group="ledger"} 2.5']) expect(text).toContain(line);
});

it('forgets a closed gate once it is open', async () => {
  const metrics = createMetrics();
  metrics.closedGates([{ provider: 'techone', reason: 'paused', count: 2 }]);
  metrics.closedGates([{ provider: 'genesys', reason: 'throttled', count: 1 }]);
  const { text } = await metrics.scrape();
  expect(text).not.toContain('provider="techone"');
  expect(text).toContain('trunkline_gates_closed{provider="genesys",reason="throttled"} 1');
});
