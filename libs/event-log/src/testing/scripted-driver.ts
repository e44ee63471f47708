import type { Assignment, CommitPosition, LogDriver, LogMember, MemberEvents, TopicPartition } from '../driver.js';
import type { LogRecord, StoredRecord } from '../port.js';

/** A driver that does nothing by itself: a test says what the engine says, and sees what it is told. For the parts built over drivers; engines are tested for real. */
export class ScriptedDriver {
  readonly commits: CommitPosition[] = [];
  readonly paused = new Set<string>();
  readonly appended: { readonly topic: string; readonly record: LogRecord }[] = [];
  /** Thrown by the next commits, one each. */
  readonly commitFailures: Error[] = [];
  events: MemberEvents = { assigned: () => undefined, revoked: async () => undefined, deliver: () => undefined, crashed: () => undefined };

  readonly driver: LogDriver = {
    name: 'postgres',
    ensureTopics: async () => undefined,
    append: async (topic, records) => {
      for (const record of records) this.appended.push({ topic, record });
      return records.map((_, index) => ({ partition: 0, offset: BigInt(index) }));
    },
    join: async (_request, events) => {
      this.events = events;
      return this.member;
    },
    topics: async () => [],
    lag: async () => [],
    clockOffsetMs: () => 0,
    ping: async () => undefined,
    close: async () => undefined,
  };

  assign(partition: number, epoch: bigint): Assignment {
    const assignment = { topic: 'topic', partition, epoch };
    this.events.assigned([assignment]);
    return assignment;
  }

  deliver(assignment: Assignment, from: number, count: number, keyOf = (offset: number): string => `key-${offset}`): void {
    const records = Array.from({ length: count }, (_, index): StoredRecord => {
      const offset = from + index;
      return { topic: 'topic', partition: assignment.partition, offset: BigInt(offset), appendedAtMs: 1, key: Buffer.from(keyOf(offset)), value: Buffer.from(String(offset)), headers: [] };
    });
    this.events.deliver(assignment, records);
  }

  private readonly member: LogMember = {
    sessionTimeoutMs: 10_000,
    lastHeartbeatMs: () => 0,
    health: () => ({ ready: true }),
    pause: (partitions) => partitions.forEach((partition) => this.paused.add(nameOf(partition))),
    resume: (partitions) => partitions.forEach((partition) => this.paused.delete(nameOf(partition))),
    commit: async (positions) => {
      const failure = this.commitFailures.shift();
      if (failure !== undefined) throw failure;
      this.commits.push(...positions);
    },
    leave: async () => undefined,
  };
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
