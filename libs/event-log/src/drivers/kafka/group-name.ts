import { createHash } from 'node:crypto';

/**
 * Kafka forgets what a group reads; members that name different topics would each get partitions the other cannot read. So the list of topics is part of the group's
 * name at the broker: `<group>.<hash of topics>`. A changed list is another name there, and `succession.ts` carries the offsets over.
 */
export function brokerGroup(group: string, topics: readonly string[]): string {
  const list = [...new Set(topics)].toSorted().join('\n');
  return `${group}.${createHash('sha256').update(list).digest('hex').slice(0, 12)}`;
}

export function isNameOf(group: string, name: string): boolean {
  return name.startsWith(`${group}.`) && /^[0-9a-f]{12}$/.test(name.slice(group.length + 1));
}

/** Travels with every commit: of several names of one group, the one with the largest epoch is in force. */
export function commitMetadata(epoch: number): string {
  return `epoch=${epoch}`;
}

export function epochIn(metadata: string | null): number {
  return Number(/^epoch=(\d+)$/.exec(metadata ?? '')?.[1] ?? 0);
}
