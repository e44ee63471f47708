import type { EventLog, LogRecord } from '@trunkline/event-log';
import { NotDurable, Overloaded } from '../edge/errors.js';

export interface SharedAppendsLimits {
  /** Records of one append at most. */
  readonly appendRecords: number;
  /** Bytes waiting over all topics before new requests are turned away. */
  readonly waitingBytes: number;
  /** An append that has said nothing for so long no longer holds up the next one of its topic. */
  readonly silenceMs: number;
}

interface Waiting {
  readonly records: readonly LogRecord[];
  readonly bytes: number;
  settle(outcome: unknown): void;
  isAbandoned: boolean;
}

interface Lane {
  waiting: Waiting[];
  isSending: boolean;
}

/**
 * Folds the appends of concurrent requests into one per topic: while one is under way the next gathers, and nothing waits when nothing is under way.
 * P1: a caller's promise resolves only once its records are durable.
 */
export class SharedAppends {
  private readonly lanes = new Map<string, Lane>();
  private waitingBytes = 0;

  constructor(
    private readonly log: Pick<EventLog, 'append'>,
    private readonly limits: SharedAppendsLimits,
  ) {}

  /** Rejects with `gateway.not_durable` when they are not surely durable within `timeoutMs`; what is on the wire by then may still land, which a repeat does not mind. */
  append(topic: string, records: readonly LogRecord[], timeoutMs: number): Promise<void> {
    const bytes = records.reduce((sum, record) => sum + (record.value?.length ?? 0), 0);
    if (this.waitingBytes + bytes > this.limits.waitingBytes) return Promise.reject(Overloaded.because(`events for ${topic} are arriving faster than they are stored`));
    this.waitingBytes += bytes;
    return new Promise((resolve, reject) => {
      const settle = (outcome: unknown): void => {
        if (entry.isAbandoned) return;
        entry.isAbandoned = true;
        clearTimeout(timer);
        if (outcome === null) resolve();
        else reject(outcome);
      };
      const entry: Waiting = { records, bytes, settle, isAbandoned: false };
      const timer = setTimeout(() => settle(NotDurable.because(`the event log did not confirm within ${timeoutMs} ms`)), timeoutMs);
      const lane = this.laneOf(topic);
      lane.waiting.push(entry);
      // The requests of one turn of the event loop share the first append.
      if (!lane.isSending) {
        lane.isSending = true;
        setImmediate(() => void this.send(topic, lane));
      }
    });
  }

  private laneOf(topic: string): Lane {
    const known = this.lanes.get(topic);
    if (known !== undefined) return known;
    const lane: Lane = { waiting: [], isSending: false };
    this.lanes.set(topic, lane);
    return lane;
  }

  private async send(topic: string, lane: Lane): Promise<void> {
    while (lane.waiting.length > 0) {
      const taken = this.take(lane);
      const wanted = taken.filter((entry) => !entry.isAbandoned);
      const outcome = wanted.length === 0 ? null : await this.appendOnce(topic, wanted);
      for (const entry of taken) {
        this.waitingBytes -= entry.bytes;
        entry.settle(outcome);
      }
    }
    lane.isSending = false;
  }

  private take(lane: Lane): Waiting[] {
    let count = 0;
    let records = 0;
    for (const entry of lane.waiting) {
      if (count > 0 && records + entry.records.length > this.limits.appendRecords) break;
      records += entry.records.length;
      count += 1;
    }
    return lane.waiting.splice(0, count);
  }

  private async appendOnce(topic: string, entries: readonly Waiting[]): Promise<unknown> {
    const silence = Promise.withResolvers<never>();
    const timer = setTimeout(() => silence.reject(new Error(`no answer within ${this.limits.silenceMs} ms`)), this.limits.silenceMs);
    try {
      await Promise.race([this.log.append(topic, entries.flatMap((entry) => entry.records)), silence.promise]);
      return null;
    } catch (error) {
      return NotDurable.from(error, 'the event log did not confirm the events');
    } finally {
      clearTimeout(timer);
    }
  }
}
