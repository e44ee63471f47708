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

/** Every member looks once, in this order, and again only where its look has left something free. */
function lookOnce(slots: readonly Slot[], order: readonly string[]): readonly Slot[] {
  let current = slots;
  let looking = order;
  for (let round = 0; looking.length > 0 && round < 10; round += 1) {
    looking = looking.filter((member) => {
      const { claim, leavesFree } = shareOf(member, order, current);
      current = current.map((slot) => (claim.includes(slot) ? { ...slot, memberId: member } : slot));
      return leavesFree;
    });
  }
  return current;
}

/** A member with what it held is gone. */
function withoutTheLast(partitions: number, members: readonly string[]): Slot[] {
  return settle(free(1, partitions), [...members, 'gone']).map((slot) => (slot.memberId === 'gone' ? { ...slot, memberId: null } : slot));
}

function ordersOf(members: readonly string[]): readonly (readonly string[])[] {
  if (members.length === 0) return [[]];
  return members.flatMap((member) => ordersOf(members.filter((other) => other !== member)).map((rest) => [member, ...rest]));
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

  it('leaves none free in whatever order the members look, though a claim is told to nobody', () => {
    const found: string[] = [];
    for (let partitions = 1; partitions <= 14; partitions += 1) {
      for (const members of [['a', 'b'], ['a', 'b', 'c'], ['a', 'b', 'c', 'd']]) {
        for (const order of ordersOf(members)) {
          for (const before of [free(1, partitions), withoutTheLast(partitions, order)]) {
            const after = lookOnce(before, order);
            if (after.some(({ memberId }) => memberId === null)) found.push(`${partitions} partitions, ${order.join()}`);
          }
        }
      }
    }
    expect(found).toEqual([]);
  });

  it('takes nothing for somebody who is no member', () => {
    expect(shareOf('stranger', ['a'], free(1, 4)).claim).toEqual([]);
  });
});
