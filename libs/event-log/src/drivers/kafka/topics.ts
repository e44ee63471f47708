import { TrunklineError } from '@trunkline/contracts';
import { LogUnavailable, TopicMismatch, TopicMissing } from '../../errors.js';
import type { TopicDefinition, TopicFigures } from '../../port.js';
import type { AdminConnection } from './admin-connection.js';
import { brokerErrorType } from './lane.js';
import { MAX_MESSAGE_BYTES } from './options.js';

/** A count is read again after this, since partitions may be added from outside. */
const COUNT_AGE_MS = 300_000;

/** Kafka protocol, ConfigResource.Type; kafkajs's own constant cannot be imported by name from an ES module. */
const TOPIC_RESOURCE = 2;

/** Which topics there are, how they are set and how full they are. */
export class Topics {
  private readonly counts = new Map<string, { readonly partitions: Promise<number>; readonly askedAtMs: number }>();
  private readonly ensured = new Set<string>();

  constructor(private readonly connection: AdminConnection) {}

  async ensure(definitions: readonly TopicDefinition[]): Promise<void> {
    if (definitions.length === 0) return;
    const names = definitions.map(({ name }) => name);
    const existing = await this.existing(names);
    const missing = definitions.filter(({ name }) => !existing.has(name));
    for (const { name, partitions } of definitions) {
      const count = existing.get(name);
      if (count !== undefined && count < partitions) throw TopicMismatch.because(`${name} has ${count} partitions, ${partitions} are declared`, { topic: name, partitions: count });
    }
    await this.setUp(definitions.filter(({ name }) => existing.has(name)));
    if (missing.length > 0) await this.create(missing);
    for (const name of names) {
      this.counts.delete(name);
      this.ensured.add(name);
    }
  }

  /** One question at a time per topic, however many appends wait for the answer. */
  partitionCount(topic: string): Promise<number> {
    const known = this.counts.get(topic);
    if (known !== undefined && performance.now() - known.askedAtMs < COUNT_AGE_MS) return known.partitions;
    const partitions = this.existing([topic]).then((counts) => {
      const count = counts.get(topic);
      if (count === undefined) throw TopicMissing.because(topic);
      return count;
    });
    this.counts.set(topic, { partitions, askedAtMs: performance.now() });
    partitions.catch(() => this.counts.delete(topic));
    return partitions;
  }

  /** Of the topics this process has declared; of all but Kafka's own where it declared none. */
  async figures(): Promise<readonly TopicFigures[]> {
    const names = this.ensured.size > 0 ? [...this.ensured] : (await asking('listing topics', () => this.connection.ask('listing topics', (admin) => admin.listTopics()))).filter((name) => !name.startsWith('__'));
    const ends = await this.ends(names);
    return names.toSorted().map((topic) => {
      const partitions = ends.get(topic) ?? [];
      const records = partitions.reduce((sum, { begin, end }) => sum + (end - begin), 0n);
      // kafkajs cannot ask for sizes on disk (DescribeLogDirs).
      return { topic, partitions: partitions.length, records, bytes: null };
    });
  }

  /** First and next offset of every partition, two requests however many topics. */
  async ends(names: readonly string[]): Promise<ReadonlyMap<string, readonly PartitionEnds[]>> {
    if (names.length === 0) return new Map();
    return asking(`reading the ends of ${names.join(', ')}`, () =>
      this.connection.read('reading ends', async (cluster) => {
        await cluster.addMultipleTargetTopics(names);
        await cluster.refreshMetadataIfNecessary();
        const partitionsOf = (topic: string) => cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => ({ partition: partitionId }));
        const request = (fromBeginning: boolean) => names.map((topic) => ({ topic, partitions: partitionsOf(topic), fromBeginning }));
        // Begin first: an end read later is never below it.
        const begins = await cluster.fetchTopicsOffset(request(true));
        const ends = await cluster.fetchTopicsOffset(request(false));
        return new Map(ends.map(({ topic, partitions }) => {
          const begin = new Map(begins.find((one) => one.topic === topic)?.partitions.map((one) => [one.partition, BigInt(one.offset)]));
          const sorted = partitions.toSorted((a, b) => a.partition - b.partition);
          return [topic, sorted.map(({ partition, offset }) => ({ partition, begin: begin.get(partition) ?? 0n, end: BigInt(offset) }))];
        }));
      }));
  }

  private async existing(names: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const all = new Set(await asking('listing topics', () => this.connection.ask('listing topics', (admin) => admin.listTopics())));
    const topics = names.filter((name) => all.has(name));
    if (topics.length === 0) return new Map();
    const metadata = await asking(`describing ${topics.join(', ')}`, () => this.connection.ask('describing topics', (admin) => admin.fetchTopicMetadata({ topics })));
    return new Map(metadata.topics.map(({ name, partitions }) => [name, partitions.length]));
  }

  private async create(definitions: readonly TopicDefinition[]): Promise<void> {
    const topics = definitions.map((definition) => ({ topic: definition.name, numPartitions: definition.partitions, configEntries: Object.entries(topicSettings(definition)).map(([name, value]) => ({ name, value })) }));
    // Answers false for those that another process created in between.
    await asking(`creating ${topics.map(({ topic }) => topic).join(', ')}`, () => this.connection.ask('creating topics', (admin) => admin.createTopics({ topics, waitForLeaders: true })));
  }

  /** Settings of an existing topic that are not the declared ones; kafkajs replaces all of a topic's own settings, so those are carried over. */
  private async setUp(definitions: readonly TopicDefinition[]): Promise<void> {
    if (definitions.length === 0) return;
    const { resources } = await asking('reading topic settings', () =>
      this.connection.ask('reading topic settings', (admin) => admin.describeConfigs({ includeSynonyms: false, resources: definitions.map(({ name }) => ({ type: TOPIC_RESOURCE, name })) })));
    const changes = definitions.flatMap((definition) => {
      const current = resources.find(({ resourceName }) => resourceName === definition.name)?.configEntries ?? [];
      const wanted = topicSettings(definition);
      const isAsDeclared = Object.entries(wanted).every(([name, value]) => current.find(({ configName }) => configName === name)?.configValue === value);
      if (isAsDeclared) return [];
      const own = Object.fromEntries(current.filter((entry) => isTopicsOwn(entry)).map(({ configName, configValue }) => [configName, configValue]));
      return [{ type: TOPIC_RESOURCE, name: definition.name, configEntries: Object.entries({ ...own, ...wanted }).map(([name, value]) => ({ name, value })) }];
    });
    if (changes.length > 0) await asking('setting topics', () => this.connection.ask('setting topics', (admin) => admin.alterConfigs({ validateOnly: false, resources: changes })));
  }
}

export interface PartitionEnds {
  readonly partition: number;
  readonly begin: bigint;
  readonly end: bigint;
}

/** Append time comes from the broker: it decides which chain version plans an event. */
function topicSettings({ retentionMs }: TopicDefinition): Readonly<Record<string, string>> {
  return { 'message.timestamp.type': 'LogAppendTime', 'retention.ms': String(retentionMs), 'max.message.bytes': String(MAX_MESSAGE_BYTES) };
}

/** 1 = set on the topic itself, not inherited from the broker (Kafka protocol, DescribeConfigs v1). */
function isTopicsOwn(entry: object): boolean {
  return 'configSource' in entry && entry.configSource === 1;
}

export async function asking<Answer>(what: string, question: () => Promise<Answer>): Promise<Answer> {
  try {
    return await question();
  } catch (error) {
    if (error instanceof TrunklineError) throw error;
    if (brokerErrorType(error) === 'UNKNOWN_TOPIC_OR_PARTITION') throw TopicMissing.from(error, what);
    throw LogUnavailable.from(error, what);
  }
}
