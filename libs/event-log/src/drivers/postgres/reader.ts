import { performance } from 'node:perf_hooks';
import type { Pool } from 'pg';
import type { Assignment, TopicPartition } from '../../driver.js';
import type { StoredRecord } from '../../port.js';
import { decodeHeaders } from './header-bytes.js';

export interface Holding extends Assignment {
  readonly topicId: number;
  /** Offset of the next record to deliver. */
  position: bigint;
  /** No record from `position` on lies in an older hour's table. */
  hour: number;
  isPaused: boolean;
}

export interface ReaderSettings {
  readonly pollMs: number;
  readonly idlePollMs: number;
  readonly fetchRecords: number;
  /** Per read, shared by the partitions; of each at least one record comes whatever its size. */
  readonly fetchBytes: number;
}

/** Brings the records of the held partitions, all partitions in one query; what this process has just made durable is handed over without reading it back. */
export class Reader {
  private readonly holdings = new Map<string, Holding>();
  private isReading = false;
  private isWanted = false;
  private isClosed = false;
  private failures = 0;
  private isResting = false;
  private lastRecordMs = Number.NEGATIVE_INFINITY;
  private timer: NodeJS.Timeout | undefined;
  private trouble: string | null = null;

  constructor(
    private readonly pool: Pool,
    private readonly settings: ReaderSettings,
    private readonly deliver: (assignment: Assignment, records: readonly StoredRecord[]) => void,
  ) {}

  get problem(): string | null {
    return this.trouble;
  }

  add(holdings: readonly Holding[]): void {
    for (const holding of holdings) this.holdings.set(nameOf(holding), holding);
    this.wake();
  }

  remove(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.holdings.delete(nameOf(partition));
  }

  held(): readonly Holding[] {
    return [...this.holdings.values()];
  }

  find(partition: TopicPartition): Holding | undefined {
    return this.holdings.get(nameOf(partition));
  }

  setPaused(partitions: readonly TopicPartition[], isPaused: boolean): void {
    for (const partition of partitions) {
      const holding = this.holdings.get(nameOf(partition));
      if (holding !== undefined) holding.isPaused = isPaused;
    }
    if (!isPaused) this.wake();
  }

  /** Records of one partition, durable a moment ago. Taken over where the reader stands right before them; otherwise the next read finds them. */
  handOver(records: readonly StoredRecord[]): void {
    const first = records[0];
    const holding = first === undefined ? undefined : this.holdings.get(nameOf(first));
    if (first === undefined || holding === undefined || holding.isPaused) return;
    if (holding.position === first.offset) this.pass(holding, records);
    else if (holding.position < first.offset) this.wake();
  }

  wake(): void {
    if (this.isClosed) return;
    this.isWanted = true;
    if (this.isReading || this.isResting) return;
    this.isReading = true;
    // One turn later, so that all that is resumed or assigned in this turn shares the query.
    setImmediate(() => void this.readUntilEmpty());
  }

  close(): void {
    this.isClosed = true;
    clearTimeout(this.timer);
    this.holdings.clear();
  }

  private async readUntilEmpty(): Promise<void> {
    while (this.isWanted && !this.isClosed) {
      this.isWanted = false;
      try {
        if (await this.readOnce()) this.isWanted = true;
        this.failures = 0;
        this.trouble = null;
      } catch (error) {
        this.failures += 1;
        this.trouble = `reading: ${error instanceof Error ? error.message : String(error)}`;
        break;
      }
    }
    this.isReading = false;
    this.scheduleNext();
  }

  private scheduleNext(): void {
    if (this.isClosed) return;
    clearTimeout(this.timer);
    const isIdle = performance.now() - this.lastRecordMs > 5_000;
    this.isResting = this.failures > 0;
    const delayMs = this.isResting ? Math.min(2_000, 100 * 2 ** Math.min(this.failures, 10)) : isIdle ? this.settings.idlePollMs : this.settings.pollMs;
    this.timer = setTimeout(() => {
      this.isResting = false;
      this.wake();
    }, delayMs);
  }

  /** True when some partition may have more. */
  private async readOnce(): Promise<boolean> {
    const asked = this.held().filter((holding) => !holding.isPaused);
    if (asked.length === 0) return false;
    const oldestHour = Math.min(...asked.map(({ hour }) => hour));
    const { rows } = await this.pool.query<Row>({
      // The hour is a literal: only so the planner leaves the older tables out, and unlocked.
      name: `event_log.read.${oldestHour}`,
      text: readSql(oldestHour),
      values: [
        asked.map(({ topicId }) => topicId),
        asked.map(({ partition }) => partition),
        asked.map(({ position }) => position.toString()),
        this.settings.fetchRecords,
        Math.max(64 * 1024, Math.floor(this.settings.fetchBytes / asked.length)),
      ],
    });
    const found = Map.groupBy(rows, (row) => asked[row.slot - 1]);
    for (const [holding, ofPartition] of found) {
      // Given back or taken anew while the query ran.
      if (holding === undefined || this.holdings.get(nameOf(holding)) !== holding) continue;
      const fresh = ofPartition.map((row) => recordOf(holding, row)).filter(({ offset }) => offset >= holding.position);
      const last = ofPartition.at(-1);
      if (last !== undefined) holding.hour = Math.max(holding.hour, last.hour);
      this.pass(holding, fresh);
    }
    return rows.length > 0;
  }

  private pass(holding: Holding, records: readonly StoredRecord[]): void {
    const last = records.at(-1);
    if (last === undefined) return;
    holding.position = last.offset + 1n;
    this.lastRecordMs = performance.now();
    this.deliver(holding, records);
  }
}

interface Row {
  readonly slot: number;
  readonly offset: string;
  readonly hour: number;
  readonly appended_at_ms: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Buffer;
}

export function readSql(oldestHour: number): string {
  return `
SELECT p.slot::int, r."offset", r.hour, r.appended_at_ms, r.key, r.value, r.headers
  FROM unnest($1::int[], $2::int[], $3::bigint[]) WITH ORDINALITY AS p(topic_id, partition, position, slot)
 CROSS JOIN LATERAL (
   SELECT w.* FROM (
     SELECT n.*, sum(coalesce(octet_length(n.value), 0)) OVER (ORDER BY n."offset") AS running FROM (
       SELECT * FROM event_log.records r
        WHERE r.topic_id = p.topic_id AND r.partition = p.partition AND r."offset" >= p.position AND r.hour >= ${oldestHour}
        ORDER BY r."offset" LIMIT $4) n) w
    WHERE w.running - coalesce(octet_length(w.value), 0) < $5) r
 ORDER BY p.slot, r."offset"`;
}

function recordOf({ topic, partition }: TopicPartition, row: Row): StoredRecord {
  return { topic, partition, offset: BigInt(row.offset), appendedAtMs: Number(row.appended_at_ms), key: row.key, value: row.value, headers: decodeHeaders(row.headers) };
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
