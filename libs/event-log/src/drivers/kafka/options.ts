/** How the Kafka driver is set; everything but the brokers has a default. */
export interface KafkaDriverOptions {
  readonly brokers: readonly string[];
  readonly clientId?: string;
  readonly tls?: boolean;
  readonly sasl?: { readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; readonly username: string; readonly password: string };
  /** After this an append rejects; a gateway takes less than its own answer may take (2 s), a background process more. */
  readonly appendTimeoutMs?: number;
  /** Bytes of records not yet confirmed; beyond it appends are refused at once, so memory stays bounded while the broker is away. */
  readonly waitingBytesLimit?: number;
  /** One producer, one send in flight each; a partition always uses the same lane. */
  readonly lanesPerTopic?: number;
  /**
   * A name that stays the same from one life of the process to the next, and that no other process has (Kafka: `group.instance.id`). The group then takes a process that was
   * started again for the one that died, at once; without it, it waits for the dead one's session to end. Only @platformatic/kafka can.
   */
  readonly instanceId?: string | null;
  /** The broker's own lower limit is 6 s by default. */
  readonly sessionTimeoutMs?: number;
  /** Also how soon a member hears of a rebalance. */
  readonly heartbeatIntervalMs?: number;
  readonly rebalanceTimeoutMs?: number;
  /** How long a fetch waits at the broker when there is nothing; also how long a paused or idle member takes to leave. */
  readonly fetchWaitMs?: number;
  /** No progress for this long, while there is something to read: the consumer is taken for dead and replaced. */
  readonly stallAfterMs?: number;
  readonly requestTimeoutMs?: number;
}

export type Settings = Required<Omit<KafkaDriverOptions, 'sasl'>> & Pick<KafkaDriverOptions, 'sasl'>;

export function settingsOf(options: KafkaDriverOptions): Settings {
  return {
    clientId: 'trunkline',
    tls: false,
    appendTimeoutMs: 5_000,
    waitingBytesLimit: 32 * 1024 * 1024,
    lanesPerTopic: 1,
    instanceId: null,
    sessionTimeoutMs: 30_000,
    heartbeatIntervalMs: 1_000,
    rebalanceTimeoutMs: 60_000,
    fetchWaitMs: 50,
    stallAfterMs: 15_000,
    requestTimeoutMs: 10_000,
    ...options,
  };
}

/** Per topic; leaves room for the framing around a record of 1 MB. */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
/** What the driver takes for one record, framing included. */
export const MAX_RECORD_BYTES = MAX_MESSAGE_BYTES - 64 * 1024;
