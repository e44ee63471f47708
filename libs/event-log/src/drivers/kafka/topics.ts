import { TopicMismatch, TopicMissing } from '../../errors.js';
import type { TopicDefinition, TopicFigures } from '../../port.js';
import { asking } from './broker-error.js';
import type { ClusterQuestions, PartitionEnds, TopicSettings } from './kafka-client.js';
import { MAX_MESSAGE_BYTES } from './options.js';

/** A count is read again after this, since partitions may be added from outside. */
const COUNT_AGE_MS = 300_000;
/**
 * Whole files go, each once its newest record is older than the topic keeps: a record may lie for this much longer. A broker that is told nothing begins a new file after 7 days
 * (Apache Kafka documentation, topic configs, segment.ms; read 2026-11-21).
 */
export const SEGMENT_MS = 6 * 3_600_000;

/** Which topics there are, how they are set and how full they are. */
export class Topics {
  private readonly counts = new Map<string, { readonly partitions: Promise<number>; readonly askedAtMs: number }>();
  private readonly ensured = new Set<string>();

  constructor(private readonly questions: ClusterQuestions) {}

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
    const names = this.ensured.size > 0 ? [...this.ensured] : (await asking('listing topics', () => this.questions.topicNames())).filter((name) => !name.startsWith('__'));
    const ends = await this.ends(names);
    const sizes = await asking('asking for sizes', () => this.questions.sizes(names));
    return names.toSorted().map((topic) => {
      const partitions = ends.get(topic) ?? [];
      const records = partitions.reduce((sum, { begin, end }) => sum + (end - begin), 0n);
      return { topic, partitions: partitions.length, records, bytes: sizes?.get(topic) ?? null };
    });
  }

  async ends(names: readonly string[]): Promise<ReadonlyMap<string, readonly PartitionEnds[]>> {
    return names.length === 0 ? new Map() : asking(`reading the ends of ${names.join(', ')}`, () => this.questions.ends(names));
  }

  private existing(names: readonly string[]): Promise<ReadonlyMap<string, number>> {
    return asking(`describing ${names.join(', ')}`, () => this.questions.partitionCounts(names));
  }

  private async create(definitions: readonly TopicDefinition[]): Promise<void> {
    const topics = definitions.map((definition) => ({ name: definition.name, partitions: definition.partitions, settings: topicSettings(definition) }));
    await asking(`creating ${topics.map(({ name }) => name).join(', ')}`, () => this.questions.createTopics(topics));
  }

  /** Settings of existing topics that are not the declared ones. */
  private async setUp(definitions: readonly TopicDefinition[]): Promise<void> {
    if (definitions.length === 0) return;
    const current = await asking('reading topic settings', () => this.questions.topicSettings(definitions.map(({ name }) => name)));
    const changes = definitions
      .map((definition) => ({ name: definition.name, wanted: topicSettings(definition) }))
      .filter(({ name, wanted }) => Object.entries(wanted).some(([key, value]) => current.get(name)?.[key] !== value));
    if (changes.length > 0) await asking('setting topics', () => this.questions.setTopics(new Map(changes.map(({ name, wanted }) => [name, wanted]))));
  }
}

/** Append time comes from the broker: it decides which chain version plans an event. */
function topicSettings({ retentionMs }: TopicDefinition): TopicSettings {
  return { 'message.timestamp.type': 'LogAppendTime', 'retention.ms': String(retentionMs), 'segment.ms': String(SEGMENT_MS), 'max.message.bytes': String(MAX_MESSAGE_BYTES) };
}
