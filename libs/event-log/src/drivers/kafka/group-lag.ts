import type { PartitionLag } from '../../port.js';
import { asking } from './broker-error.js';
import type { ClusterQuestions } from './kafka-client.js';
import { statesOf } from './succession.js';
import type { Topics } from './topics.js';

/** How far a group is behind. The age of the oldest unread record costs one small fetch per lagging partition, and none while its commit has not moved. */
export class GroupLag {
  private readonly times = new Map<string, { readonly committed: bigint; readonly appendedAtMs: number }>();

  constructor(
    private readonly questions: ClusterQuestions,
    private readonly topics: Topics,
    /** What members of this process read; known before the group's first commit. */
    private readonly topicsJoined: (group: string) => readonly string[],
  ) {}

  async of(group: string): Promise<readonly PartitionLag[]> {
    const [inForce] = await statesOf(this.questions, group);
    const offsets = new Map((inForce?.offsets ?? []).map(({ topic, partition, offset }) => [`${topic}/${partition}`, offset]));
    const subscribed = inForce === undefined ? [] : await this.subscribed(inForce.name);
    const names = [...new Set([...(inForce?.offsets ?? []).map(({ topic }) => topic), ...subscribed, ...this.topicsJoined(group)])].toSorted();
    const ends = await this.topics.ends(names);
    return Promise.all(names.flatMap((topic) => (ends.get(topic) ?? []).map(async ({ partition, begin, end }) => {
      const stored = offsets.get(`${topic}/${partition}`) ?? begin;
      const committed = stored < begin ? begin : stored;
      const lag = end > committed ? end - committed : 0n;
      return { topic, partition, endOffset: end, committed, lag, oldestUnreadAtMs: lag === 0n ? null : await this.timeOf(group, topic, partition, committed) };
    })));
  }

  private async timeOf(group: string, topic: string, partition: number, committed: bigint): Promise<number | null> {
    const place = `${topic}/${partition}`;
    const known = this.times.get(`${group} ${place}`);
    if (known?.committed === committed) return known.appendedAtMs;
    const appendedAtMs = await asking(`reading ${place} at ${committed}`, () => this.questions.appendTimeAt(topic, partition, committed));
    if (appendedAtMs !== null) this.times.set(`${group} ${place}`, { committed, appendedAtMs });
    return appendedAtMs;
  }

  private async subscribed(name: string): Promise<readonly string[]> {
    const described = await asking(`describing ${name}`, () => this.questions.describeGroups([name]));
    return described.get(name)?.topics ?? [];
  }
}
