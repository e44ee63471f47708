import { LogClosed, LogUnavailable, RecordTooLarge, TopicMissing } from '../../errors.js';
import { partitionOf } from '../../partitioner.js';
import type { LogRecord, Position } from '../../port.js';
import { brokerErrorType } from './broker-error.js';
import type { ProducerSession } from './kafka-client.js';
import { Lane, type OnAcknowledged, type Parcel, type ParcelResult } from './lane.js';
import { MAX_RECORD_BYTES, type Settings } from './options.js';
import { wireSize } from './wire-size.js';

/** Deals records to partitions and partitions to lanes, and waits for the broker's word on each (P1), never longer than the time allowed. */
export class Appender {
  private readonly lanes = new Map<string, Lane>();
  private nextSpread = 0;
  private openBytes = 0;
  private isClosed = false;

  constructor(
    private readonly settings: Settings,
    private readonly partitionCount: (topic: string) => Promise<number>,
    private readonly openProducer: (topic: string) => ProducerSession,
    private readonly onAcknowledged: OnAcknowledged,
  ) {}

  async append(topic: string, records: readonly LogRecord[]): Promise<readonly Position[]> {
    if (this.isClosed) throw LogClosed.because(`appending to ${topic}`);
    const sizes = records.map((record) => checkedSize(topic, record));
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    // Refused whole and at once: memory stays bounded while the broker is away, and none of these records has left.
    if (this.openBytes > 0 && this.openBytes + bytes > this.settings.waitingBytesLimit) throw LogUnavailable.because(`appending to ${topic}: too much is already waiting for the broker`);
    this.openBytes += bytes;
    try {
      return await this.deal(topic, records, sizes, performance.now() + this.settings.appendTimeoutMs);
    } finally {
      this.openBytes -= bytes;
    }
  }

  close(): void {
    this.isClosed = true;
    for (const lane of this.lanes.values()) lane.close(LogClosed.because('the log was closed while records were on their way'));
    this.lanes.clear();
  }

  private async deal(topic: string, records: readonly LogRecord[], sizes: readonly number[], deadlineMs: number): Promise<readonly Position[]> {
    const partitions = await this.partitionsWithin(topic, deadlineMs);
    if (this.isClosed) throw LogClosed.because(`appending to ${topic}`);
    const spread = (this.nextSpread += 1);
    const dealt = records.map((record, index) => ({ record, index, bytes: sizes[index] ?? 0, partition: record.key === null ? (spread + index) % partitions : partitionOf(record.key, partitions) }));
    const byLane = Map.groupBy(dealt, ({ partition }) => this.laneOf(topic, partition));
    return new Promise((resolve, reject) => {
      const waiter = new Waiter(topic, dealt.map(({ partition }) => partition), deadlineMs, resolve, reject);
      for (const [lane, part] of byLane) lane.enqueue(part.map(({ record, partition, bytes, index }): Parcel => ({ record, partition, bytes, deadlineMs, settle: (result) => waiter.settle(index, result) })));
    });
  }

  private laneOf(topic: string, partition: number): Lane {
    const name = `${topic}/${partition % this.settings.lanesPerTopic}`;
    const lane = this.lanes.get(name) ?? new Lane(() => this.openProducer(topic), this.onAcknowledged);
    this.lanes.set(name, lane);
    return lane;
  }

  private async partitionsWithin(topic: string, deadlineMs: number): Promise<number> {
    let timer: NodeJS.Timeout | undefined;
    const expiry = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(LogUnavailable.because(`appending to ${topic}: the broker does not answer`)), deadlineMs - performance.now());
    });
    try {
      return await Promise.race([this.partitionCount(topic), expiry]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** One append: resolves when all of its records are settled, rejects with the first failure or at its deadline. */
class Waiter {
  private readonly offsets: bigint[];
  private open: number;
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly topic: string,
    private readonly partitions: readonly number[],
    deadlineMs: number,
    private readonly resolve: (positions: readonly Position[]) => void,
    private readonly reject: (error: unknown) => void,
  ) {
    this.offsets = partitions.map(() => -1n);
    this.open = partitions.length;
    this.timer = setTimeout(() => this.fail(new Error('not confirmed in time')), Math.max(0, deadlineMs - performance.now()));
    if (this.open === 0) this.finish();
  }

  settle(index: number, result: ParcelResult): void {
    if ('error' in result) return this.fail(result.error);
    this.offsets[index] = result.offset;
    this.open -= 1;
    if (this.open === 0) this.finish();
  }

  private finish(): void {
    clearTimeout(this.timer);
    this.resolve(this.partitions.map((partition, index) => ({ partition, offset: this.offsets[index] ?? -1n })));
  }

  /** A second failure, or one after the deadline, finds the promise settled. */
  private fail(error: unknown): void {
    clearTimeout(this.timer);
    this.reject(asRegistered(this.topic, error));
  }
}

function asRegistered(topic: string, error: unknown): unknown {
  if (LogClosed.matches(error) || LogUnavailable.matches(error)) return error;
  switch (brokerErrorType(error)) {
    case 'MESSAGE_TOO_LARGE':
    case 'RECORD_LIST_TOO_LARGE':
      return RecordTooLarge.from(error, `appending to ${topic}`);
    case 'UNKNOWN_TOPIC_OR_PARTITION':
      return TopicMissing.from(error, topic);
    default:
      return LogUnavailable.from(error, `appending to ${topic}`);
  }
}

function checkedSize(topic: string, record: LogRecord): number {
  const bytes = wireSize(record);
  if (bytes > MAX_RECORD_BYTES) throw RecordTooLarge.because(`appending ${bytes} bytes to ${topic}; the limit is ${MAX_RECORD_BYTES}`);
  return bytes;
}
