/**
 * The requests kafkajs's admin client does not offer: reading one record at an offset, the ends of many topics in one request, storing offsets for a group without members.
 * An assigner is handed the cluster object by kafkajs's public interface; this takes it from there.
 */
import { PartitionAssigners, type PartitionAssigner } from 'kafkajs';
import { SHORT_RETRY, createClient, type KafkaClient } from './client.js';
import type { Settings } from './options.js';

export interface TopicPartitions {
  readonly topic: string;
  readonly partitions: readonly { readonly partition: number }[];
}

export interface TopicOffsets {
  readonly topic: string;
  readonly partitions: readonly { readonly partition: number; readonly offset: string }[];
}

export interface OffsetsToStore {
  readonly topic: string;
  readonly partitions: readonly { readonly partition: number; readonly offset: string; readonly metadata: string }[];
}

/** The part of kafkajs's Cluster that is used here. */
export interface Cluster {
  connect(): Promise<void>;
  addMultipleTargetTopics(topics: readonly string[]): Promise<void>;
  refreshMetadata(): Promise<void>;
  refreshMetadataIfNecessary(): Promise<void>;
  findTopicPartitionMetadata(topic: string): readonly { readonly partitionId: number }[];
  fetchTopicsOffset(topics: readonly (TopicPartitions & { readonly fromBeginning: boolean })[]): Promise<readonly TopicOffsets[]>;
  findLeaderForPartitions(topic: string, partitions: readonly number[]): Readonly<Record<string, readonly number[]>>;
  findBroker(node: { readonly nodeId: string }): Promise<Broker>;
  findGroupCoordinator(group: { readonly groupId: string }): Promise<Broker>;
}

interface Broker {
  fetch(request: {
    readonly isolationLevel: number;
    readonly maxWaitTime: number;
    readonly minBytes: number;
    readonly maxBytes: number;
    readonly topics: readonly { readonly topic: string; readonly partitions: readonly { readonly partition: number; readonly fetchOffset: string; readonly maxBytes: number }[] }[];
  }): Promise<{ readonly responses: readonly { readonly partitions: readonly { readonly messages: readonly { readonly offset: string; readonly timestamp: string }[] }[] }[] }>;
  offsetCommit(request: { readonly groupId: string; readonly groupGenerationId: number; readonly memberId: string; readonly topics: readonly OffsetsToStore[] }): Promise<unknown>;
}

export interface ClusterConnection {
  readonly client: KafkaClient;
  readonly ready: Promise<Cluster>;
}

export function connectCluster(settings: Settings): ClusterConnection {
  const client = createClient(settings, 'reader', SHORT_RETRY);
  let found: unknown = null;
  const capture: PartitionAssigner = (context) => {
    found = context.cluster;
    return PartitionAssigners.roundRobin(context);
  };
  client.kafka.consumer({ groupId: `${settings.clientId}-reader-never-joins`, partitionAssigners: [capture], allowAutoTopicCreation: false });
  const cluster = found as Cluster;
  return { client, ready: cluster.connect().then(() => cluster) };
}

/** The append time of the first record at or after an offset; null when there is none yet. */
export async function appendTimeAt(cluster: Cluster, topic: string, partition: number, offset: bigint): Promise<number | null> {
  const [nodeId] = Object.keys(cluster.findLeaderForPartitions(topic, [partition]));
  if (nodeId === undefined) return null;
  const broker = await cluster.findBroker({ nodeId });
  const partitions = [{ partition, fetchOffset: String(offset), maxBytes: 1 }];
  const { responses } = await broker.fetch({ isolationLevel: 1, maxWaitTime: 10, minBytes: 1, maxBytes: 1, topics: [{ topic, partitions }] });
  const record = responses[0]?.partitions[0]?.messages.find((message) => BigInt(message.offset) >= offset);
  return record === undefined ? null : Number(record.timestamp);
}

/** As no member (generation −1): the broker takes it only while the group has no members. */
export async function storeOffsets(cluster: Cluster, groupId: string, topics: readonly OffsetsToStore[]): Promise<void> {
  const coordinator = await cluster.findGroupCoordinator({ groupId });
  await coordinator.offsetCommit({ groupId, groupGenerationId: -1, memberId: '', topics });
}
