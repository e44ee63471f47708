import { NumericMap, ProduceAcks, type initProducerIdV4, type MessageRecord, type produceV11 } from '@platformatic/kafka';
import { setTimeout as sleep } from 'node:timers/promises';
import { brokerErrorType } from '../kafka/broker-error.js';
import type { ProducerSession, RecordToSend, SentPartition } from '../kafka/kafka-client.js';
import type { Settings } from '../kafka/options.js';
import { toMessage } from './records.js';
import { Wire, retryDelayMs, type Node } from './wire.js';

interface Identity {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

/**
 * One idempotent producer. The library's own does the same, but tells neither the append time, by which the broker's clock is known, nor that it has silently begun a new
 * producer session after a loss of state, which may store a batch twice.
 */
export class PlatformaticProducer implements ProducerSession {
  private readonly wire: Wire;
  private identity: Identity | null = null;
  /** The sequence number of the next record of each partition, under the names the library's encoder looks for. */
  private readonly sequences = new NumericMap();

  constructor(
    private readonly settings: Settings,
    private readonly topic: string,
  ) {
    this.wire = new Wire(settings, 'producer');
  }

  async send(records: readonly RecordToSend[]): Promise<readonly SentPartition[]> {
    const waiting = new Map<number, MessageRecord[]>();
    for (const { record, partition } of records) {
      const messages = waiting.get(partition);
      if (messages === undefined) waiting.set(partition, [toMessage(this.topic, partition, record)]);
      else messages.push(toMessage(this.topic, partition, record));
    }
    const sent: SentPartition[] = [];
    for (let attempt = 0; ; attempt += 1) {
      try {
        sent.push(...(await this.attempt(waiting)));
        if (waiting.size === 0) return sent;
      } catch (error) {
        if (this.wire.isDestroyed || !isWorthRepeating(error)) throw error;
      }
      this.wire.forget();
      await sleep(retryDelayMs(attempt));
    }
  }

  destroy(): void {
    this.wire.destroy();
  }

  /** What the broker confirms leaves `waiting`; the rest goes out again with the same numbers, so that a batch already stored is recognised. */
  private async attempt(waiting: Map<number, MessageRecord[]>): Promise<readonly SentPartition[]> {
    this.identity ??= await this.wire.call<[null, number, bigint, number], initProducerIdV4.InitProducerIdResponse>('InitProducerId', await this.wire.anyNode(), null, this.settings.requestTimeoutMs, -1n, -1);
    const leaders = (await this.wire.layoutOf([this.topic])).get(this.topic)?.leaders ?? [];
    const byLeader = Map.groupBy(waiting.keys(), (partition) => leaders[partition] ?? -1);
    const attempts = [...byLeader].map(async ([leader, partitions]) => this.produce(await this.wire.node(leader), partitions.flatMap((partition) => waiting.get(partition) ?? [])));
    const results = await Promise.allSettled(attempts);
    const sent: SentPartition[] = [];
    let failure: unknown = null;
    for (const result of results) {
      const answer = result.status === 'fulfilled' ? result.value : answerIn(result.reason);
      if (result.status === 'rejected' && (failure === null || isWorthRepeating(failure))) failure = result.reason;
      for (const { index: partition, errorCode, baseOffset, logAppendTimeMs } of answer) {
        if (errorCode !== 0) continue;
        this.advance(partition, waiting.get(partition)?.length ?? 0);
        waiting.delete(partition);
        sent.push({ partition, baseOffset, appendedAtMs: logAppendTimeMs < 0n ? null : Number(logAppendTimeMs) });
      }
    }
    if (failure !== null && !isWorthRepeating(failure)) throw failure;
    return sent;
  }

  private async produce(leader: Node, messages: MessageRecord[]): Promise<readonly produceV11.ProduceResponsePartition[]> {
    const options = { ...this.identity, sequences: this.sequences };
    const response = await this.wire.call<[number, number, MessageRecord[], object], produceV11.ProduceResponse>('Produce', leader, ProduceAcks.ALL, this.settings.requestTimeoutMs, messages, options);
    return response.responses.flatMap(({ partitionResponses }) => partitionResponses);
  }

  /** Sequence numbers are 31 bits and begin again at 0 (Kafka, DefaultRecordBatch.incrementSequence). */
  private advance(partition: number, count: number): void {
    const name = `${this.topic}:${partition}`;
    this.sequences.set(name, (this.sequences.getWithDefault(name, 0) + count) % 2 ** 31);
  }
}

/** The library rejects as soon as one partition has an error; what was stored of the others lies in the error. */
function answerIn(error: unknown): readonly produceV11.ProduceResponsePartition[] {
  const response = error instanceof Error && 'response' in error ? (error.response as produceV11.ProduceResponse | undefined) : undefined;
  return response?.responses.flatMap(({ partitionResponses }) => partitionResponses) ?? [];
}

/** The broker did not answer, or not for good. Every other refusal ends this producer session. */
function isWorthRepeating(error: unknown): boolean {
  const type = brokerErrorType(error);
  return type === null || PASSING.has(type);
}

const PASSING: ReadonlySet<string> = new Set([
  'NOT_LEADER_OR_FOLLOWER',
  'LEADER_NOT_AVAILABLE',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'REQUEST_TIMED_OUT',
  'NOT_ENOUGH_REPLICAS',
  'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
  'COORDINATOR_LOAD_IN_PROGRESS',
  'COORDINATOR_NOT_AVAILABLE',
  'KAFKA_STORAGE_ERROR',
  'NETWORK_EXCEPTION',
  // The partition was counted before: a broker that has just come back may not know its topics yet.
  'UNKNOWN_TOPIC_OR_PARTITION',
]);
