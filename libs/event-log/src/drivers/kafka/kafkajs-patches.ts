/**
 * Four corrections inside kafkajs 2.2.4 (the last release, 2023-02; it has no exports map, so its files can be reached). Each test of the driver runs with them.
 */
import { createRequire } from 'node:module';
import type { PartitionAssigner } from 'kafkajs';

const load = createRequire(import.meta.url);
let isApplied = false;

export function applyKafkajsPatches(): void {
  if (isApplied) return;
  isApplied = true;
  stopIdleTimer(load('kafkajs/src/network/requestQueue') as Class<RequestQueue>);
  keepHeaderOrder(load('kafkajs/src/protocol/decoder') as Class<Decoder>);
  connectOnce(load('kafkajs/src/network/connection') as Class<Connection>);
  awaitRelease(load('kafkajs/src/consumer/consumerGroup') as Class<ConsumerGroup>);
}

/** What the release of partitions needs of kafkajs's consumer group. */
export interface ConsumerGroup {
  memberId: string | null;
  readonly assigners: readonly ReturnType<PartitionAssigner>[];
  commitOffsets(offsets: { readonly topics: readonly CommitTopic[] }): Promise<void>;
  joinAndSync(): Promise<void>;
}

export interface CommitTopic {
  readonly topic: string;
  readonly partitions: readonly { readonly partition: number; readonly offset: string; readonly metadata: string }[];
}

export interface ReleasingAssigner extends ReturnType<PartitionAssigner> {
  /** Awaited before the member gives its partitions back and joins again. */
  beforeJoin(group: ConsumerGroup): Promise<void>;
  /** They are given back, and nothing was had for them. */
  joinFailed(error: unknown): void;
}

interface Class<Instance> {
  readonly prototype: Instance;
}

interface RequestQueue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests(): void;
}

interface Decoder {
  readVarIntArray(read: (decoder: Decoder) => WireHeader): WireHeader[];
}

export interface WireHeader {
  readonly key: string;
  readonly value: Buffer | null;
}

/** Unpatched, each connection sets a timer of 1 ms for ever, with a negative duration that Node 24 warns about (kafkajs issue 1751). With nothing pending there is nothing to look after. */
function stopIdleTimer({ prototype }: Class<RequestQueue>): void {
  const original = prototype.scheduleCheckPendingRequests;
  prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
    if (this.pending.length > 0) original.call(this);
  };
}

/**
 * kafkajs folds a record's headers into an object, which loses the order of repeated and of numeric names. This is its only use of readVarIntArray,
 * and the fold is its `reduce`: here it hands the list itself on.
 */
function keepHeaderOrder({ prototype }: Class<Decoder>): void {
  const original = prototype.readVarIntArray;
  prototype.readVarIntArray = function (this: Decoder, read) {
    const list = original.call(this, read);
    return Object.defineProperty(list, 'reduce', { value: () => list });
  };
}

interface Connection {
  connect(): Promise<boolean>;
}

/**
 * Two requests that find a connection down each open a socket; the second replaces the first, which is connected, and requests written to one wait for answers from the
 * other. After a broker's restart commits, heartbeats and fetches do exactly that.
 */
function connectOnce({ prototype }: Class<Connection>): void {
  const original = prototype.connect;
  const connecting = new WeakMap<Connection, Promise<boolean>>();
  prototype.connect = function (this: Connection) {
    const pending = connecting.get(this) ?? original.call(this).finally(() => connecting.delete(this));
    connecting.set(this, pending);
    return pending;
  };
}

/**
 * kafkajs joins again the moment it hears of a rebalance; work in hand could then never be committed by its own generation. And when it is not let in (a coordinator that is
 * loading after its start, for instance) it goes on reading under the generation it had, which the coordinator may take for valid: of partitions that were given back.
 */
function awaitRelease({ prototype }: Class<ConsumerGroup>): void {
  const original = prototype.joinAndSync;
  prototype.joinAndSync = async function (this: ConsumerGroup) {
    const [assigner] = this.assigners;
    if (assigner === undefined || !isReleasing(assigner)) return original.call(this);
    await assigner.beforeJoin(this);
    try {
      return await original.call(this);
    } catch (error) {
      assigner.joinFailed(error);
      throw error;
    }
  };
}

function isReleasing(assigner: ReturnType<PartitionAssigner>): assigner is ReleasingAssigner {
  return 'beforeJoin' in assigner;
}
