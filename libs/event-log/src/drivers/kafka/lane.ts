/**
 * One idempotent producer and a queue with ONE send in flight. kafkajs rolls its sequence back on an error and gives it to whichever send comes next, which the broker then
 * confirms as a repeat without storing it: with concurrent sends on one producer, acknowledged records are lost (measured 2026-11; `lost-response.spec.ts` shows it). Hence also: a
 * producer whose send was rejected or given up on is never used again, and the same batch is resent by a new one.
 */
import { brokerErrorType } from './broker-error.js';
import type { ProducerSession, RecordToSend, SentPartition } from './kafka-client.js';

/** One record on its way; `settle` is called exactly once. */
export interface Parcel extends RecordToSend {
  readonly bytes: number;
  /** Monotonic; after it nobody waits for the record any more. */
  readonly deadlineMs: number;
  settle(result: ParcelResult): void;
}

export type ParcelResult = { readonly offset: bigint } | { readonly error: unknown };

/** Told what the broker has stored, and when it was sent by this process's clock. */
export type OnAcknowledged = (sent: readonly SentPartition[], sentAtMs: number) => void;

const BATCH_RECORDS = 500;
const BATCH_BYTES = 1024 * 1024;
const RESEND_AFTER_MS = 100;

export class Lane {
  private readonly waiting: Parcel[] = [];
  private session: ProducerSession | null = null;
  private isSending = false;
  private isClosed = false;

  constructor(
    private readonly openSession: () => ProducerSession,
    private readonly onAcknowledged: OnAcknowledged,
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
    for (let lastError: unknown = null; ; ) {
      const remainingMs = deadlineMs - performance.now();
      if (remainingMs <= 0 || this.isClosed) return settleAll(batch, { error: lastError ?? new Error('the broker did not answer in time') });
      try {
        return settleOffsets(batch, await this.sendWithin(remainingMs, batch));
      } catch (error) {
        lastError = error;
        this.endSession();
        if (isFinal(error)) return settleAll(batch, { error });
        await pause(Math.min(RESEND_AFTER_MS, Math.max(0, deadlineMs - performance.now())));
      }
    }
  }

  /**
   * At the deadline the session is destroyed: nothing of it can arrive later than a batch sent after it. Its promise is not waited for: a request that kafkajs has lost
   * together with its connection is never answered, and would hold up everything behind it for good.
   */
  private async sendWithin(timeoutMs: number, batch: readonly Parcel[]): Promise<readonly SentPartition[]> {
    const session = (this.session ??= this.openSession());
    let timer: NodeJS.Timeout | undefined;
    const expiry = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        session.destroy();
        reject(new Error('the broker did not answer in time'));
      }, timeoutMs);
    });
    try {
      const sentAtMs = Date.now();
      const sent = await Promise.race([session.send(batch), expiry]);
      this.onAcknowledged(sent, sentAtMs);
      return sent;
    } finally {
      clearTimeout(timer);
    }
  }

  private endSession(): void {
    this.session?.destroy();
    this.session = null;
  }
}

function settleOffsets(batch: readonly Parcel[], sent: readonly SentPartition[]): void {
  const next = new Map(sent.map(({ partition, baseOffset }) => [partition, baseOffset]));
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

function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
