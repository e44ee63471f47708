import { topics } from '@trunkline/contracts';
import { type EventLog, partitionOf } from '@trunkline/event-log';

export interface OldBacklogOptions {
  readonly log: Pick<EventLog, 'lag' | 'clockOffsetMs'>;
  /** Whose unread records must not be overtaken by retention. */
  readonly group: string;
  readonly nowMs: () => number;
  /** Raised once per partition, when it becomes too old. */
  readonly alarm: (partition: { readonly topic: string; readonly partition: number; readonly ageMs: number }) => void;
}

const retentionOf = new Map(topics.map(({ name, retentionMs }) => [name, retentionMs]));

/** Partitions whose oldest unread record is older than half of what the log keeps: events that hash to them wait at the door, all others go on (delivery §11). */
export class OldBacklog {
  private old = new Set<string>();
  private partitions = new Map<string, number>();

  constructor(private readonly options: OldBacklogOptions) {}

  /** Looks at once, then every so often; while the log cannot be asked soon again, and the last answer stands. Answers with the function that ends it. */
  watch(everyMs: number, retryMs = 1_000): () => void {
    let isOver = false;
    let timer: NodeJS.Timeout | undefined;
    const look = async (): Promise<void> => {
      const pauseMs = await this.refresh().then(() => everyMs, () => retryMs);
      if (!isOver) timer = setTimeout(() => void look(), pauseMs);
    };
    void look();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }

  /** Read every half minute or so; nothing on the way of an event asks the log. */
  async refresh(): Promise<void> {
    const { log, group, nowMs, alarm } = this.options;
    const lags = await log.lag(group);
    const logNowMs = nowMs() + (log.clockOffsetMs() ?? 0);
    const old = new Set<string>();
    for (const { topic, partition, oldestUnreadAtMs } of lags) {
      const ageMs = oldestUnreadAtMs === null ? 0 : logNowMs - oldestUnreadAtMs;
      if (ageMs <= (retentionOf.get(topic) ?? Infinity) / 2) continue;
      const name = `${topic}/${partition}`;
      old.add(name);
      if (!this.old.has(name)) alarm({ topic, partition, ageMs });
    }
    this.partitions = new Map([...Map.groupBy(lags, ({ topic }) => topic)].map(([topic, group]) => [topic, group.length]));
    this.old = old;
  }

  holds(topic: string, key: Buffer | null): boolean {
    if (this.old.size === 0 || key === null) return false;
    const count = this.partitions.get(topic);
    return count !== undefined && this.old.has(`${topic}/${partitionOf(key, count)}`);
  }
}
