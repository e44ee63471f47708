import { shareOf, type Slot } from './rebalance.js';

/** Lets every member act in turn, as heartbeats do, until nothing changes. */
function settle(slots: readonly Slot[], members: readonly string[]): Slot[] {
  let current = slots.map((slot) => (slot.memberId !== null && members.includes(slot.memberId) ? slot : { ...slot, memberId: null }));
  for (let round = 0; round < 10; round += 1) {
    for (const member of members) {
      const { claim, surplus } = shareOf(member, members, current);
      current = current.map((slot) => (claim.includes(slot) ? { ...slot, memberId: member } : surplus.includes(slot) ? { ...slot, memberId: null } : slot));
    }
  }
  return current;
}

function free(topics: number, partitions: number): Slot[] {
  return Array.from({ length: topics * partitions }, (_, index) => ({ topicId: Math.floor(index / partitions), partition: index % partitions, memberId: null }));
}

const count = (slots: readonly Slot[], member: string): number => slots.filter((slot) => slot.memberId === member).length;

describe('sharing partitions', () => {
  it('leaves none free and gives nobody more than one above another', () => {
    for (const members of [['a'], ['a', 'b'], ['a', 'b', 'c'], ['a', 'b', 'c', 'd', 'e']]) {
      const slots = settle(free(8, 6), members);
      const counts = members.map((member) => count(slots, member));
      expect(counts.reduce((sum, one) => sum + one, 0)).toBe(48);
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    }
  });

  it('gives a newcomer an equal part of every topic', () => {
    const slots = settle(settle(free(8, 6), ['a']), ['a', 'b']);
    for (let topicId = 0; topicId < 8; topicId += 1) expect(count(slots.filter((slot) => slot.topicId === topicId), 'b')).toBe(3);
  });

  it('moves no more than the newcomer gets', () => {
    const before = settle(free(1, 12), ['a', 'b']);
    const after = settle(before, ['a', 'b', 'c']);
    const moved = after.filter((slot, index) => slot.memberId !== before[index]?.memberId);
    expect(moved.every((slot) => slot.memberId === 'c')).toBe(true);
    expect(moved).toHaveLength(4);
  });

  it('takes nothing for somebody who is no member', () => {
    expect(shareOf('stranger', ['a'], free(1, 4)).claim).toEqual([]);
  });
});
