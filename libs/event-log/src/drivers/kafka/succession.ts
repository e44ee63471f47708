import type { Admin, GroupDescription } from 'kafkajs';
import { setTimeout as sleep } from 'node:timers/promises';
import { GroupRetired } from '../../errors.js';
import type { AdminConnection } from './admin-connection.js';
import { storeOffsets } from './cluster.js';
import { brokerGroup, commitMetadata, epochIn, isNameOf } from './group-name.js';
import { asking } from './topics.js';

export interface GroupState {
  readonly name: string;
  readonly epoch: number;
  readonly members: number;
  readonly offsets: readonly { readonly topic: string; readonly partition: number; readonly offset: bigint }[];
}

export interface GroupInForce {
  readonly name: string;
  readonly epoch: number;
}

/** All names the group has at the broker, the one in force first. */
export async function statesOf(connection: AdminConnection, group: string): Promise<readonly GroupState[]> {
  return asking(`reading group ${group}`, () => connection.ask('reading groups', async (admin) => {
    const names = (await admin.listGroups()).groups.map(({ groupId }) => groupId).filter((name) => isNameOf(group, name));
    if (names.length === 0) return [];
    const described = (await admin.describeGroups(names)).groups;
    const states = await Promise.all(names.map((name) => stateOf(admin, name, described)));
    // A group that has just formed has committed nothing yet and is still the one in force when no other has members.
    return states.toSorted((a, b) => b.epoch - a.epoch || b.members - a.members);
  }));
}

/**
 * Which name to join under. A changed list of topics takes over the offsets of the name in force, only while that has no members (waited for up to `waitMs`:
 * a rolling deployment), and then removes it: its offsets hold back nothing any more, and a member that wakes up under it finds no epoch and stops.
 */
export async function takeOver(connection: AdminConnection, group: string, topics: readonly string[], waitMs: number): Promise<GroupInForce> {
  const name = brokerGroup(group, topics);
  for (const deadline = performance.now() + waitMs; ; await sleep(250)) {
    const states = await statesOf(connection, group);
    const [inForce] = states;
    if (inForce === undefined || inForce.name === name) return { name, epoch: Math.max(1, inForce?.epoch ?? 1) };
    if (inForce.members === 0) return succeed(connection, states, inForce, name, topics);
    if (performance.now() > deadline) throw GroupRetired.because(`${group} is read under another list of topics by ${inForce.members} running members`, { inForce: inForce.name });
  }
}

async function succeed(connection: AdminConnection, states: readonly GroupState[], old: GroupState, name: string, topics: readonly string[]): Promise<GroupInForce> {
  const epoch = old.epoch + 1;
  const metadata = commitMetadata(epoch);
  const carried = topics
    .map((topic) => ({ topic, partitions: old.offsets.filter((one) => one.topic === topic).map(({ partition, offset }) => ({ partition, offset: String(offset), metadata })) }))
    .filter(({ partitions }) => partitions.length > 0);
  if (carried.length > 0) await asking(`carrying over the offsets of ${old.name}`, () => connection.read('storing offsets', (cluster) => storeOffsets(cluster, name, carried)));
  const retired = states.filter((state) => state.name !== name && state.members === 0).map((state) => state.name);
  await asking(`retiring ${retired.join(', ')}`, () => connection.ask('deleting groups', (admin) => admin.deleteGroups(retired)));
  return { name, epoch };
}

async function stateOf(admin: Admin, name: string, described: readonly GroupDescription[]): Promise<GroupState> {
  // kafkajs asks for all topics when none is named.
  const committed = await admin.fetchOffsets({ groupId: name });
  const partitions = committed.flatMap(({ topic, partitions: list }) => list.map((one) => ({ topic, ...one })));
  return {
    name,
    epoch: Math.max(0, ...partitions.map(({ metadata }) => epochIn(metadata))),
    members: described.find(({ groupId }) => groupId === name)?.members.length ?? 0,
    offsets: partitions.filter(({ offset }) => BigInt(offset) >= 0n).map(({ topic, partition, offset }) => ({ topic, partition, offset: BigInt(offset) })),
  };
}
