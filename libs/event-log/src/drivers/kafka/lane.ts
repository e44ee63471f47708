/**
 * One idempotent producer and a queue with ONE send in flight. kafkajs rolls its sequence back on an error and gives it to whichever send comes next, which the broker then
 * confirms as a repeat without storing it: with concurrent sends on one producer, acknowledged records are lost (measured 2026-11; `lane.spec.ts` shows it). Hence also: a
 * producer whose send was rejected or given up on is never used again, and the same batch is resent by a new one.
 */
import { Partitioners, type Message, type Producer, type RecordMetadata } from 'kafkajs';
import { createClient, type KafkaClient } from './client.js';
import type { Settings } from './options.js';

/** One record on its way; `settle` is called exactly once. */
export interface Parcel {
  readonly message: Message;
  readonly partition: number;
  readonly bytes: number;
  /** Monotonic; after it nobody waits for the record any more. */
  readonly deadlineMs: number;
  settle(result: ParcelResult): void;
}

export type ParcelResult = { readonly offset: bigint } | { readonly error: unknown };

interface Session {
  readonly client: KafkaClient;
  readonly producer: Producer;
  readonly connected: Promise<void>;
}

const BATCH_RECORDS = 500;
const BATCH_BYTES = 1024 * 1024;
const RESEND_AFTER_MS = 100;

export class Lane {
  private readonly waiting: Parcel[] = [];
  private session: Session | null = null;
  private isSending = false;
  private isClosed = false;

  constructor(
    private readonly topic: string,
    private readonly settings: Settings,
    private readonly onAcknowledged: (metadata: readonly RecordMetadata[], sentAtMs: number) => void,
  ) {}

  enqueue(parcels: readonly Parcel[]): void {
    for (const parcel of parcels) this.waiting.push(parcel);
    if (!this.isSending) void this.sendAll();
  }

  /** What is waiting or in flight is rejected; it may still have been stored. */
  close(error: unknown): void {
    this.isClosed = true;
    for (const parcel of this.waiting.splice(0)) parcel.settle({ error });
    this.endSession();
  }

  private async sendAll(): Promise<void> {
    this.isSending = true;
    while (this.waiting.length > 0) await this.sendBatch(this.takeBatch());
    this.isSending = false;
  }

  private takeBatch(): readonly Parcel[] {
    const now = performance.now();
    const batch: Parcel[] = [];
    let bytes = 0;
    let taken = 0;
    for (const parcel of this.waiting) {
      const isFull = batch.length === BATCH_RECORDS || (batch.length > 0 && bytes + parcel.bytes > BATCH_BYTES);
      if (isFull) break;
      taken += 1;
      if (parcel.deadlineMs <= now) parcel.settle({ error: new Error('it waited too long behind others') });
      else {
        batch.push(parcel);
        bytes += parcel.bytes;
      }
    }
    this.waiting.splice(0, taken);
    return batch;
  }

  /** P1: settled with an offset only when the broker has answered for this very batch; until the last waiter's deadline it is resent unchanged. */
  private async sendBatch(batch: readonly Parcel[]): Promise<void> {
    if (batch.length === 0) return;
    const deadlineMs = Math.max(...batch.map((parcel) => parcel.deadlineMs));
    const messages = batch.map((parcel) => parcel.message);
    for (let lastError: unknown = null; ; ) {
      const remainingMs = deadlineMs - performance.now();
      if (remainingMs <= 0 || this.isClosed) return settleAll(batch, { error: lastError ?? new Error('the broker did not answer in time') });
      try {
        return settleOffsets(batch, await this.sendWithin(remainingMs, messages));
      } catch (error) {
        lastError = error;
        this.endSession();
        if (isFinal(error)) return settleAll(batch, { error });
        await pause(Math.min(RESEND_AFTER_MS, Math.max(0, deadlineMs - performance.now())));
      }
    }
  }

  /** At the deadline the client is destroyed, which ends the send: nothing of it can arrive later than a batch sent after it. */
  private async sendWithin(timeoutMs: number, messages: Message[]): Promise<readonly RecordMetadata[]> {
    const session = (this.session ??= this.openSession());
    const timer = setTimeout(() => session.client.destroy(), timeoutMs);
    try {
      await session.connected;
      const sentAtMs = Date.now();
      const metadata = await session.producer.send({ topic: this.topic, acks: -1, messages });
      this.onAcknowledged(metadata, sentAtMs);
      return metadata;
    } finally {
      clearTimeout(timer);
    }
  }

  private openSession(): Session {
    const client = createClient(this.settings, 'producer');
    const producer = client.kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      // Every message names its partition: kafkajs asks the partitioner again on each retry, and a keyless record would change its place.
      createPartitioner: Partitioners.DefaultPartitioner,
    });
    return { client, producer, connected: producer.connect() };
  }

  private endSession(): void {
    this.session?.client.destroy();
    this.session = null;
  }
}

function settleOffsets(batch: readonly Parcel[], metadata: readonly RecordMetadata[]): void {
  const next = new Map(metadata.map(({ partition, baseOffset }) => [partition, BigInt(baseOffset ?? -1)]));
  for (const parcel of batch) {
    const offset = next.get(parcel.partition) ?? -1n;
    next.set(parcel.partition, offset + 1n);
    parcel.settle({ offset });
  }
}

function settleAll(batch: readonly Parcel[], result: ParcelResult): void {
  for (const parcel of batch) parcel.settle(result);
}

/** The broker has refused the records themselves; sending them again cannot help. */
function isFinal(error: unknown): boolean {
  return ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD', 'UNKNOWN_TOPIC_OR_PARTITION'].includes(brokerErrorType(error) ?? '');
}

/** kafkajs wraps the broker's answer, sometimes twice. */
export function brokerErrorType(error: unknown): string | null {
  for (let current: unknown = error; current instanceof Error; current = current.cause) {
    if ('type' in current && typeof current.type === 'string') return current.type;
  }
  return null;
}

function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
