import type { BatchConsumer, EventLog, PerKeyConsumer, RecordOutcome, StoredRecord } from '@trunkline/event-log';
import type { Metrics } from './metrics.js';

/** The same event log, counting what goes in and out per topic; lag and age of the groups consumed here are read at each scrape. */
export function meteredEventLog(log: EventLog, metrics: Metrics, nowMs: () => number = Date.now): EventLog {
  const watched = new Set<string>();
  metrics.onScrape(async () => {
    for (const group of watched) await readLag(log, metrics, group, nowMs());
  });
  const count = (group: string, records: readonly StoredRecord[], outcomes: readonly RecordOutcome[]): void => {
    let topic: string | null = null;
    let outcome = '';
    let alike = 0;
    // A batch is mostly of one topic and one outcome: one count for each stretch.
    records.forEach((record, index) => {
      const kind = outcomes[index]?.kind ?? 'none';
      if (record.topic !== topic || kind !== outcome) {
        if (topic !== null) metrics.recordsOut(topic, group, outcome, alike);
        [topic, outcome, alike] = [record.topic, kind, 0];
      }
      alike += 1;
    });
    if (topic !== null) metrics.recordsOut(topic, group, outcome, alike);
  };

  const metered = (consumer: BatchConsumer | PerKeyConsumer): BatchConsumer | PerKeyConsumer => {
    if (consumer.mode === 'batch') {
      return {
        ...consumer,
        handleBatch: async (records) => {
          const outcomes = await consumer.handleBatch(records);
          count(consumer.group, records, outcomes);
          return outcomes;
        },
      };
    }
    return {
      ...consumer,
      orderingKey: (record) => consumer.orderingKey(record),
      handleRecord: async (record) => {
        const outcome = await consumer.handleRecord(record);
        count(consumer.group, [record], [outcome]);
        return outcome;
      },
    };
  };

  return {
    driver: log.driver,
    ensureTopics: (topics) => log.ensureTopics(topics),
    append: async (topic, records) => {
      const positions = await log.append(topic, records);
      metrics.recordsIn(topic, records.length);
      return positions;
    },
    consume: (consumer) => {
      watched.add(consumer.group);
      return log.consume(metered(consumer));
    },
    topics: () => log.topics(),
    lag: (group) => log.lag(group),
    clockOffsetMs: () => log.clockOffsetMs(),
    ping: () => log.ping(),
    close: () => log.close(),
  };
}

async function readLag(log: EventLog, metrics: Metrics, group: string, nowMs: number): Promise<void> {
  const byTopic = Map.groupBy(await log.lag(group), ({ topic }) => topic);
  const logNowMs = nowMs + (log.clockOffsetMs() ?? 0);
  for (const [topic, partitions] of byTopic) {
    const oldestAtMs = Math.min(...partitions.map(({ oldestUnreadAtMs }) => oldestUnreadAtMs ?? Infinity));
    metrics.topicLag(topic, group, {
      records: partitions.reduce((sum, { lag }) => sum + Number(lag), 0),
      oldestAgeSeconds: Number.isFinite(oldestAtMs) ? Math.max(0, (logNowMs - oldestAtMs) / 1_000) : 0,
    });
  }
}
