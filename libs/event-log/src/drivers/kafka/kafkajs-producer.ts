import { Partitioners, type Producer } from 'kafkajs';
import { createClient, type KafkaClient } from './client.js';
import type { ProducerSession, RecordToSend, SentPartition } from './kafka-client.js';
import type { Settings } from './options.js';
import { toMessage } from './wire.js';

/** One kafkajs producer on a client of its own, which ends with it. */
export class KafkajsProducer implements ProducerSession {
  private readonly client: KafkaClient;
  private readonly producer: Producer;
  private readonly connected: Promise<void>;

  constructor(
    settings: Settings,
    private readonly topic: string,
  ) {
    this.client = createClient(settings, 'producer');
    this.producer = this.client.kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      // Every message names its partition: kafkajs asks the partitioner again on each retry, and a keyless record would change its place.
      createPartitioner: Partitioners.DefaultPartitioner,
    });
    this.connected = this.producer.connect();
    this.connected.catch(() => undefined);
  }

  async send(records: readonly RecordToSend[]): Promise<readonly SentPartition[]> {
    await this.connected;
    const metadata = await this.producer.send({ topic: this.topic, acks: -1, messages: records.map(({ record, partition }) => toMessage(record, partition)) });
    return metadata.map(({ partition, baseOffset, logAppendTime }) => ({ partition, baseOffset: BigInt(baseOffset ?? -1), appendedAtMs: logAppendTime === undefined || logAppendTime === '-1' ? null : Number(logAppendTime) }));
  }

  destroy(): void {
    this.client.destroy();
  }
}
