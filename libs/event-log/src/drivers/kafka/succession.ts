import { setTimeout as sleep } from 'node:timers/promises';
import { GroupRetired } from '../../errors.js';
import { asking } from './broker-error.js';
import { brokerGroup, commitMetadata, epochIn, isNameOf } from './group-name.js';
import type { ClusterQuestions, DescribedGroup } from './kafka-client.js';

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
export async function statesOf(questions: ClusterQuestions, group: string): Promise<readonly GroupState[]> {
  return asking(`reading group ${group}`, async () => {
    const names = (await questions.groupNames()).filter((name) => isNameOf(group, name));
    if (names.length === 0) return [];
    const described = await questions.describeGroups(names);
    const states = await Promise.all(names.map((name) => stateOf(questions, name, described)));
    // A group that has just formed has committed nothing yet and is still the one in force when no other has members.
    return states.toSorted((a, b) => b.epoch - a.epoch || b.members - a.members);
  });
}

/**
 * Which name to join under. A changed list of topics takes over the offsets of the name in force, only while that has no members (waited for up to `waitMs`:
 * a rolling deployment), and then removes it: its offsets hold back nothing any more, and a member that wakes up under it finds no epoch and stops.
 */
export async function takeOver(questions: ClusterQuestions, group: string, topics: readonly string[], waitMs: number): Promise<GroupInForce> {
  const name = brokerGroup(group, topics);
  for (const deadline = performance.now() + waitMs; ; await sleep(250)) {
    const states = await statesOf(questions, group);
    const [inForce] = states;
    if (inForce === undefined || inForce.name === name) return { name, epoch: Math.max(1, inForce?.epoch ?? 1) };
    if (inForce.members === 0) return succeed(questions, states, inForce, name, topics);
    if (performance.now() > deadline) throw GroupRetired.because(`${group} is read under another list of topics by ${inForce.members} running members`, { inForce: inForce.name });
  }
}

async function succeed(questions: ClusterQuestions, states: readonly GroupState[], old: GroupState, name: string, topics: readonly string[]): Promise<GroupInForce> {
  const epoch = old.epoch + 1;
  const metadata = commitMetadata(epoch);
  const carried = topics
    .map((topic) => ({ topic, partitions: old.offsets.filter((one) => one.topic === topic).map(({ partition, offset }) => ({ partition, offset, metadata })) }))
    .filter(({ partitions }) => partitions.length > 0);
  if (carried.length > 0) await asking(`carrying over the offsets of ${old.name}`, () => questions.storeOffsets(name, carried));
  const retired = states.filter((state) => state.name !== name && state.members === 0).map((state) => state.name);
  await asking(`retiring ${retired.join(', ')}`, () => questions.deleteGroups(retired));
  return { name, epoch };
}

async function stateOf(questions: ClusterQuestions, name: string, described: ReadonlyMap<string, DescribedGroup>): Promise<GroupState> {
  const committed = await questions.committed(name);
  return {
    name,
    epoch: Math.max(0, ...committed.map(({ metadata }) => epochIn(metadata))),
    members: described.get(name)?.members ?? 0,
    offsets: committed.filter(({ offset }) => offset >= 0n),
  };
}
