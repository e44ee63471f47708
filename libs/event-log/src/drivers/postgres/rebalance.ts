/** Who of a group holds which partition; pure, so that all members come to the same answer from the same rows. */
export interface Slot {
  readonly topicId: number;
  readonly partition: number;
  readonly memberId: string | null;
}

export interface Share {
  /** Free partitions this member takes now. */
  readonly claim: readonly Slot[];
  /** Partitions it holds and gives back, so that members with less can take them. */
  readonly surplus: readonly Slot[];
  /** Free partitions are left: for others by what they hold now, and perhaps for this member when they have taken theirs. It has to look again. */
  readonly leavesFree: boolean;
}

/** Every member gets the same number of partitions, the odd ones go to those that hold most already; nobody gives up more than that asks for. */
export function shareOf(memberId: string, members: readonly string[], slots: readonly Slot[]): Share {
  const mine = slots.filter((slot) => slot.memberId === memberId);
  const quota = quotaOf(memberId, members, slots);
  const free = slots.filter((slot) => slot.memberId === null);
  const claim = spread(free).slice(0, Math.max(0, quota - mine.length));
  return { claim, surplus: spread(mine).slice(0, Math.max(0, mine.length - quota)), leavesFree: claim.length < free.length };
}

function quotaOf(memberId: string, members: readonly string[], slots: readonly Slot[]): number {
  const heldBy = (id: string): number => slots.filter((slot) => slot.memberId === id).length;
  const ranked = [...members].sort((a, b) => heldBy(b) - heldBy(a) || (a < b ? -1 : 1));
  const rank = ranked.indexOf(memberId);
  if (rank < 0) return 0;
  return Math.floor(slots.length / members.length) + (rank < slots.length % members.length ? 1 : 0);
}

/** The highest partition of each topic first, then the second highest …: a part of the list is an equal part of every topic. */
function spread(slots: readonly Slot[]): Slot[] {
  const byTopic = Map.groupBy(
    [...slots].sort((a, b) => b.partition - a.partition),
    (slot) => slot.topicId,
  );
  return [...byTopic.values()]
    .flatMap((ofTopic) => ofTopic.map((slot, depth) => ({ slot, depth })))
    .sort((a, b) => a.depth - b.depth || a.slot.topicId - b.slot.topicId)
    .map(({ slot }) => slot);
}
