import { AssignerProtocol } from 'kafkajs';
import { AdminConnection } from './admin-connection.js';
import { appendTimeAt, storeOffsets } from './cluster.js';
import type { ClusterQuestions, DescribedGroup, OffsetsToStore, PartitionEnds, StoredOffset, TopicSettings, TopicToCreate } from './kafka-client.js';
import type { Settings } from './options.js';

/** Kafka protocol, ConfigResource.Type; kafkajs's own constant cannot be imported by name from an ES module. */
const TOPIC_RESOURCE = 2;

/** Questions asked through kafkajs's admin client, and around it where it does not offer them. */
export class KafkajsQuestions implements ClusterQuestions {
  private readonly connection: AdminConnection;

  constructor(settings: Settings) {
    this.connection = new AdminConnection(settings);
  }

  topicNames(): Promise<readonly string[]> {
    return this.connection.ask('listing topics', (admin) => admin.listTopics());
  }

  async partitionCounts(names: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const all = new Set(await this.topicNames());
    const topics = names.filter((name) => all.has(name));
    if (topics.length === 0) return new Map();
    const metadata = await this.connection.ask('describing topics', (admin) => admin.fetchTopicMetadata({ topics }));
    return new Map(metadata.topics.map(({ name, partitions }) => [name, partitions.length]));
  }

  async createTopics(definitions: readonly TopicToCreate[]): Promise<void> {
    const topics = definitions.map(({ name, partitions, settings }) => ({ topic: name, numPartitions: partitions, configEntries: Object.entries(settings).map(([key, value]) => ({ name: key, value })) }));
    // Answers false for those that another process created in between.
    await this.connection.ask('creating topics', (admin) => admin.createTopics({ topics, waitForLeaders: true }));
  }

  async topicSettings(topics: readonly string[]): Promise<ReadonlyMap<string, TopicSettings>> {
    const entries = await this.settingsOf(topics);
    return new Map([...entries].map(([topic, list]) => [topic, Object.fromEntries(list.map(({ name, value }) => [name, value]))]));
  }

  /** kafkajs replaces all of a topic's own settings, so those are carried over. */
  async setTopics(topics: ReadonlyMap<string, TopicSettings>): Promise<void> {
    const current = await this.settingsOf([...topics.keys()]);
    const resources = [...topics].map(([name, wanted]) => {
      const own = Object.fromEntries((current.get(name) ?? []).filter(({ isOwn }) => isOwn).map((entry) => [entry.name, entry.value]));
      return { type: TOPIC_RESOURCE, name, configEntries: Object.entries({ ...own, ...wanted }).map(([key, value]) => ({ name: key, value })) };
    });
    await this.connection.ask('setting topics', (admin) => admin.alterConfigs({ validateOnly: false, resources }));
  }

  /** Two requests however many topics. */
  ends(names: readonly string[]): Promise<ReadonlyMap<string, readonly PartitionEnds[]>> {
    return this.connection.read('reading ends', async (cluster) => {
      await cluster.addMultipleTargetTopics(names);
      await cluster.refreshMetadataIfNecessary();
      const partitionsOf = (topic: string) => cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => ({ partition: partitionId }));
      const request = (fromBeginning: boolean) => names.map((topic) => ({ topic, partitions: partitionsOf(topic), fromBeginning }));
      const begins = await cluster.fetchTopicsOffset(request(true));
      const ends = await cluster.fetchTopicsOffset(request(false));
      return new Map(ends.map(({ topic, partitions }) => {
        const begin = new Map(begins.find((one) => one.topic === topic)?.partitions.map((one) => [one.partition, BigInt(one.offset)]));
        const sorted = partitions.toSorted((a, b) => a.partition - b.partition);
        return [topic, sorted.map(({ partition, offset }) => ({ partition, begin: begin.get(partition) ?? 0n, end: BigInt(offset) }))];
      }));
    });
  }

  /** kafkajs cannot ask for sizes on disk (DescribeLogDirs). */
  sizes(): Promise<null> {
    return Promise.resolve(null);
  }

  appendTimeAt(topic: string, partition: number, offset: bigint): Promise<number | null> {
    return this.connection.read('reading a record', (cluster) => appendTimeAt(cluster, topic, partition, offset));
  }

  async groupNames(): Promise<readonly string[]> {
    return (await this.connection.ask('listing groups', (admin) => admin.listGroups())).groups.map(({ groupId }) => groupId);
  }

  async describeGroups(names: readonly string[]): Promise<ReadonlyMap<string, DescribedGroup>> {
    const { groups } = await this.connection.ask('describing groups', (admin) => admin.describeGroups([...names]));
    return new Map(groups.map(({ groupId, members }) => [groupId, { members: members.length, topics: [...new Set(members.flatMap(({ memberMetadata }) => topicsIn(memberMetadata)))] }]));
  }

  async committed(groupId: string): Promise<readonly StoredOffset[]> {
    // kafkajs asks for all topics when none is named.
    const committed = await this.connection.ask('reading offsets', (admin) => admin.fetchOffsets({ groupId }));
    return committed.flatMap(({ topic, partitions }) => partitions.map(({ partition, offset, metadata }) => ({ topic, partition, offset: BigInt(offset), metadata })));
  }

  async storeOffsets(group: string, topics: readonly OffsetsToStore[]): Promise<void> {
    const stored = topics.map(({ topic, partitions }) => ({ topic, partitions: partitions.map((one) => ({ ...one, offset: String(one.offset) })) }));
    await this.connection.read('storing offsets', (cluster) => storeOffsets(cluster, group, stored));
  }

  async deleteGroups(names: readonly string[]): Promise<void> {
    await this.connection.ask('deleting groups', (admin) => admin.deleteGroups([...names]));
  }

  async ping(): Promise<void> {
    await this.connection.ask('describing the cluster', (admin) => admin.describeCluster());
  }

  close(): void {
    this.connection.close();
  }

  private async settingsOf(topics: readonly string[]): Promise<ReadonlyMap<string, readonly Setting[]>> {
    const resources = topics.map((name) => ({ type: TOPIC_RESOURCE, name }));
    const answer = await this.connection.ask('reading topic settings', (admin) => admin.describeConfigs({ includeSynonyms: false, resources }));
    return new Map(answer.resources.map(({ resourceName, configEntries }) => [resourceName, configEntries.map((entry) => ({ name: entry.configName, value: entry.configValue, isOwn: isTopicsOwn(entry) }))]));
  }
}

interface Setting {
  readonly name: string;
  readonly value: string;
  readonly isOwn: boolean;
}

/** 1 = set on the topic itself, not inherited from the broker (Kafka protocol, DescribeConfigs v1). */
function isTopicsOwn(entry: object): boolean {
  return 'configSource' in entry && entry.configSource === 1;
}

/** What a member subscribes to; while a group rebalances the broker tells nothing. */
export function topicsIn(memberMetadata: Buffer): readonly string[] {
  return memberMetadata.length === 0 ? [] : (AssignerProtocol.MemberMetadata.decode(memberMetadata)?.topics ?? []);
}
