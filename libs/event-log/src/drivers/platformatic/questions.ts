import { ConfigResourceTypes, IncrementalAlterConfigOperationTypes, type fetchV17, type offsetCommitV9 } from '@platformatic/kafka';
import { setTimeout as sleep } from 'node:timers/promises';
import { brokerErrorType } from '../kafka/broker-error.js';
import type { ClusterQuestions, DescribedGroup, OffsetsToStore, PartitionEnds, StoredOffset, TopicSettings, TopicToCreate } from '../kafka/kafka-client.js';
import type { Settings } from '../kafka/options.js';
import { within } from '../kafka/within.js';
import { readPartition } from './records.js';
import { Wire } from './wire.js';

const RETRIES = 6;
const EARLIEST = -2n;
const LATEST = -1n;
const READ_COMMITTED = 1;

/** Questions asked through the library's admin client, and by single requests where it does not offer them. */
export class PlatformaticQuestions implements ClusterQuestions {
  private readonly wire: Wire;

  constructor(private readonly settings: Settings) {
    this.wire = new Wire(settings, 'admin', { retries: RETRIES });
  }

  topicNames(): Promise<readonly string[]> {
    return this.ask('listing topics', () => this.wire.admin.listTopics());
  }

  async partitionCounts(topics: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const layouts = await this.layouts(topics);
    return new Map(topics.flatMap((topic) => {
      const count = layouts.get(topic)?.leaders.length;
      return count === undefined ? [] : [[topic, count] as const];
    }));
  }

  async createTopics(topics: readonly TopicToCreate[]): Promise<void> {
    for (const { name, partitions, settings } of topics) {
      const configs = Object.entries(settings).map(([key, value]) => ({ name: key, value }));
      await this.ask(`creating ${name}`, () => this.wire.admin.createTopics({ topics: [name], partitions, replicas: -1, configs })).catch((error: unknown) => {
        if (brokerErrorType(error) !== 'TOPIC_ALREADY_EXISTS') throw error;
      });
    }
    const names = topics.map(({ name }) => name);
    for (const deadlineMs = performance.now() + this.settings.requestTimeoutMs; ; await sleep(20)) {
      const layouts = await this.layouts(names);
      if (names.every((name) => layouts.get(name)?.leaders.every((leader) => leader >= 0) === true)) return;
      if (performance.now() > deadlineMs) throw new Error(`no leaders of ${names.join(', ')} within ${this.settings.requestTimeoutMs} ms`);
    }
  }

  async topicSettings(topics: readonly string[]): Promise<ReadonlyMap<string, TopicSettings>> {
    const resources = topics.map((resourceName) => ({ resourceType: ConfigResourceTypes.TOPIC, resourceName }));
    const described = await this.ask('reading topic settings', () => this.wire.admin.describeConfigs({ resources }));
    return new Map(described.map(({ resourceName, configs }) => [resourceName, Object.fromEntries(configs.map(({ name, value }) => [name, value ?? '']))]));
  }

  async setTopics(topics: ReadonlyMap<string, TopicSettings>): Promise<void> {
    const resources = [...topics].map(([resourceName, settings]) => ({
      resourceType: ConfigResourceTypes.TOPIC,
      resourceName,
      configs: Object.entries(settings).map(([name, value]) => ({ name, value, configOperation: IncrementalAlterConfigOperationTypes.SET })),
    }));
    await this.ask('setting topics', () => this.wire.admin.incrementalAlterConfigs({ resources }));
  }

  async ends(topics: readonly string[]): Promise<ReadonlyMap<string, readonly PartitionEnds[]>> {
    const counts = await this.partitionCounts(topics);
    const request = (timestamp: bigint) => [...counts].map(([name, count]) => ({ name, partitions: Array.from({ length: count }, (_, partitionIndex) => ({ partitionIndex, timestamp })) }));
    if (counts.size === 0) return new Map();
    const begins = await this.ask('reading begins', () => this.wire.admin.listOffsets({ topics: request(EARLIEST), isolationLevel: READ_COMMITTED }));
    const ends = await this.ask('reading ends', () => this.wire.admin.listOffsets({ topics: request(LATEST), isolationLevel: READ_COMMITTED }));
    return new Map(ends.map(({ name, partitions }) => {
      const begin = new Map(begins.find((one) => one.name === name)?.partitions.map(({ partitionIndex, offset }) => [partitionIndex, offset]));
      const sorted = partitions.toSorted((a, b) => a.partitionIndex - b.partitionIndex);
      return [name, sorted.map(({ partitionIndex: partition, offset }) => ({ partition, begin: begin.get(partition) ?? 0n, end: offset }))];
    }));
  }

  async sizes(topics: readonly string[]): Promise<ReadonlyMap<string, bigint>> {
    const counts = await this.partitionCounts(topics);
    const asked = [...counts].map(([name, count]) => ({ name, partitions: Array.from({ length: count }, (_, index) => index) }));
    const sizes = new Map<string, bigint>();
    if (asked.length === 0) return sizes;
    for (const { results } of await this.ask('asking for sizes', () => this.wire.admin.describeLogDirs({ topics: asked }))) {
      for (const { name, partitions } of results.flatMap((result) => result.topics)) {
        sizes.set(name, partitions.reduce((sum, { partitionSize }) => sum + partitionSize, sizes.get(name) ?? 0n));
      }
    }
    return sizes;
  }

  appendTimeAt(topic: string, partition: number, offset: bigint): Promise<number | null> {
    return this.ask('reading a record', async () => {
      const layout = (await this.wire.layoutOf([topic])).get(topic);
      const partitions = [{ partition, currentLeaderEpoch: -1, fetchOffset: offset, lastFetchedEpoch: -1, partitionMaxBytes: 1 }];
      const node = await this.wire.node(layout?.leaders[partition] ?? -1);
      const { responses } = await this.wire.call<fetchV17.FetchRequest, fetchV17.FetchResponse>('Fetch', node, 10, 1, 1, READ_COMMITTED, 0, -1, [{ topicId: layout?.id ?? '', partitions }], [], '');
      const answer = responses[0]?.partitions[0];
      return answer === undefined ? null : (readPartition(topic, answer, offset).records[0]?.appendedAtMs ?? null);
    });
  }

  async groupNames(): Promise<readonly string[]> {
    return [...(await this.ask('listing groups', () => this.wire.admin.listGroups())).keys()];
  }

  async describeGroups(names: readonly string[]): Promise<ReadonlyMap<string, DescribedGroup>> {
    const groups = await this.ask('describing groups', () => this.wire.admin.describeGroups({ groups: [...names] }));
    return new Map([...groups].map(([name, { members }]) => [name, { members: members.size, topics: [...new Set([...members.values()].flatMap(({ metadata }) => metadata?.topics ?? []))] }]));
  }

  async committed(group: string): Promise<readonly StoredOffset[]> {
    const groups = await this.ask('reading offsets', () => this.wire.admin.listConsumerGroupOffsets({ groups: [group] }));
    return groups.flatMap(({ topics }) => topics.flatMap(({ name, partitions }) => partitions.map(({ partitionIndex, committedOffset, metadata }) => ({ topic: name, partition: partitionIndex, offset: committedOffset, metadata: metadata ?? null }))));
  }

  /** The library's own verb for this stores no metadata, which carries the epoch of the succession. */
  async storeOffsets(group: string, topics: readonly OffsetsToStore[]): Promise<void> {
    const request = topics.map(({ topic, partitions }) => ({ name: topic, partitions: partitions.map(({ partition, offset, metadata }) => ({ partitionIndex: partition, committedOffset: offset, committedLeaderEpoch: -1, committedMetadata: metadata })) }));
    await this.ask('storing offsets', async () => this.wire.call<offsetCommitV9.OffsetCommitRequest, offsetCommitV9.OffsetCommitResponse>('OffsetCommit', await this.wire.coordinatorOf(group), group, -1, '', null, request));
  }

  async deleteGroups(names: readonly string[]): Promise<void> {
    await this.ask('deleting groups', () => this.wire.admin.deleteGroups({ groups: [...names] }));
  }

  async ping(): Promise<void> {
    await this.layouts([]);
  }

  close(): void {
    this.wire.destroy();
  }

  private layouts(topics: readonly string[]) {
    return this.ask('describing topics', () => this.wire.layoutOf(topics, { fresh: true }));
  }

  /** Repeated a few times while the broker does not answer, and never longer than the time allowed. */
  private ask<Answer>(what: string, question: () => Promise<Answer>): Promise<Answer> {
    const asked = async (): Promise<Answer> => {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await question();
        } catch (error) {
          if (attempt > RETRIES || !isPassing(error) || this.wire.isDestroyed) throw error;
          this.wire.forget();
          await sleep(50 * attempt);
        }
      }
    };
    return within(this.settings.requestTimeoutMs, what, asked());
  }
}

/** No answer, or a coordinator that has just started or moved. */
function isPassing(error: unknown): boolean {
  const type = brokerErrorType(error);
  return type === null || ['COORDINATOR_LOAD_IN_PROGRESS', 'COORDINATOR_NOT_AVAILABLE', 'NOT_COORDINATOR', 'NOT_LEADER_OR_FOLLOWER', 'LEADER_NOT_AVAILABLE'].includes(type);
}
