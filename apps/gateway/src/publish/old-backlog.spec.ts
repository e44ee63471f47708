import type { PartitionLag } from '@trunkline/event-log';
import { partitionOf } from '@trunkline/event-log';
import { OldBacklog } from './old-backlog.js';

const day = 24 * 60 * 60 * 1000;
const topic = 'events.escalation';

describe('a backlog that retention could overtake', () => {
  let lags: PartitionLag[] = [];
  const alarms: string[] = [];
  const backlog = new OldBacklog({ log: { lag: async () => lags, clockOffsetMs: () => 0 }, group: 'ledger', nowMs: () => 10 * day, alarm: ({ topic: where, partition }) => alarms.push(`${where}/${partition}`) });
  const partitions = (oldest: readonly (number | null)[]): PartitionLag[] => oldest.map((oldestUnreadAtMs, partition) => ({ topic, partition, endOffset: 9n, committed: 0n, lag: 9n, oldestUnreadAtMs }));
  const keyOf = (partition: number): Buffer => {
    for (let number = 0; ; number += 1) if (partitionOf(Buffer.from(String(number)), 3) === partition) return Buffer.from(String(number));
  };

  it('holds events of the old partition only, and raises the alarm once', async () => {
    lags = partitions([10 * day - 3 * day, 10 * day - 4 * day, null]);
    await backlog.refresh();
    await backlog.refresh();
    expect([0, 1, 2].map((partition) => backlog.holds(topic, keyOf(partition)))).toEqual([false, true, false]);
    expect(backlog.holds('events.kb_sync', keyOf(1))).toBe(false);
    expect(alarms).toEqual([`${topic}/1`]);
  });

  it('is known from the start on, as soon as the log can be asked', async () => {
    const known = Promise.withResolvers<void>();
    let asked = 0;
    const lag = async (): Promise<PartitionLag[]> => {
      asked += 1;
      if (asked === 1) throw new Error('the log is away');
      return partitions([null, 10 * day - 4 * day, null]);
    };
    const fresh = new OldBacklog({ log: { lag, clockOffsetMs: () => 0 }, group: 'ledger', nowMs: () => 10 * day, alarm: () => known.resolve() });
    const end = fresh.watch(day, 1);
    await known.promise;
    end();
    await new Promise((resolve) => setImmediate(resolve));
    expect(fresh.holds(topic, keyOf(1))).toBe(true);
  });

  it('lets them in again once the backlog is young', async () => {
    lags = partitions([null, 10 * day, null]);
    await backlog.refresh();
    expect(backlog.holds(topic, keyOf(1))).toBe(false);
  });
});
