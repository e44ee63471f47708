import { decodeConsumerProtocolAssignment, encodeConsumerProtocolAssignment, encodeConsumerProtocolSubscription } from '@platformatic/kafka';

/** The name and version under which kafkajs deals partitions: members with either client may be in one group while a deployment changes from one to the other. */
export const PROTOCOL = 'RoundRobinAssigner';
const VERSION = 0;

export function subscriptionTo(topics: readonly string[]): Buffer {
  return encodeConsumerProtocolSubscription({ version: VERSION, topics: [...topics], userData: Buffer.alloc(0) });
}

/** Partitions in turn to members in the order of their ids; all members read the same topics. */
export function assignmentFor(members: readonly string[], topics: readonly string[], partitionsOf: (topic: string) => number): { memberId: string; assignment: Buffer }[] {
  const sorted = members.toSorted();
  const dealt = sorted.map(() => new Map<string, number[]>());
  let turn = 0;
  for (const topic of topics.toSorted()) {
    for (let partition = 0; partition < partitionsOf(topic); partition += 1) {
      const hand = dealt[turn % dealt.length];
      hand?.set(topic, [...(hand.get(topic) ?? []), partition]);
      turn += 1;
    }
  }
  return sorted.map((memberId, index) => ({
    memberId,
    assignment: encodeConsumerProtocolAssignment({ version: VERSION, assignedPartitions: [...(dealt[index] ?? [])].map(([topic, partitions]) => ({ topic, partitions })), userData: Buffer.alloc(0) }),
  }));
}

export function assignmentIn(bytes: Buffer): Readonly<Record<string, readonly number[]>> {
  if (bytes.length === 0) return {};
  return Object.fromEntries(decodeConsumerProtocolAssignment(bytes).assignedPartitions.map(({ topic, partitions }) => [topic, partitions]));
}
