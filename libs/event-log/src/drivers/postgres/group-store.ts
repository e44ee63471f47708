import type { Pool, PoolClient } from 'pg';
import { GroupRetired } from '../../errors.js';
import { hasBeenGone, isGone } from './presence.js';
import { shareOf, type Slot } from './rebalance.js';
import type { KnownTopic } from './topic-catalog.js';

export interface MemberIdentity {
  readonly group: string;
  readonly memberId: string;
  readonly instanceId: string;
  readonly leaseMs: number;
  /** Whether this process holds the lock that shows it to live. */
  readonly isPresent: () => boolean;
}

export interface Pulse {
  readonly generation: bigint;
  readonly hasExpired: boolean;
  /** Whether members of other processes live; without them nobody needs a NOTIFY. */
  readonly hasForeign: boolean;
}

export interface ClaimedPartition {
  readonly topicId: number;
  readonly partition: number;
  readonly epoch: bigint;
  readonly from: bigint;
  /** Segment in which `from` lies, or an earlier one. */
  readonly hour: number;
}

export interface Balance {
  readonly generation: bigint;
  /** Some partition has no owner yet: claims are not told to the group, so this member must look again by itself. */
  readonly leavesFree: boolean;
  readonly claimed: readonly ClaimedPartition[];
  readonly surplus: readonly { readonly topicId: number; readonly partition: number }[];
  /** What the group thinks this member holds, after the claims. */
  readonly holds: readonly { readonly topicId: number; readonly partition: number; readonly epoch: bigint }[];
}

/** Enters the group, or comes back after having been given up for dead. Returns the reason to wait while members with another list of topics live. */
export async function enterGroup(pool: Pool, me: MemberIdentity, topics: readonly KnownTopic[]): Promise<string | null> {
  const names = topics.map(({ name }) => name).sort();
  return inTransaction(pool, async (client) => {
    await client.query('INSERT INTO event_log.groups (group_name, topics) VALUES ($1, $2) ON CONFLICT DO NOTHING', [me.group, names]);
    const { rows } = await client.query<{ topics: string[]; is_retired: boolean }>('SELECT topics, retired_at IS NOT NULL AS is_retired FROM event_log.groups WHERE group_name = $1 FOR UPDATE', [me.group]);
    await removeExpired(client, me);
    const group = rows[0];
    if (group === undefined || group.is_retired || group.topics.join('\n') !== names.join('\n')) {
      const others = await client.query('SELECT FROM event_log.members WHERE group_name = $1', [me.group]);
      if ((others.rowCount ?? 0) > 0) return `waiting for ${others.rowCount} members of ${me.group} that read another list of topics`;
      // A changed list keeps the offsets of the topics that stay; those that go no longer hold records back.
      await client.query('UPDATE event_log.groups SET topics = $2, retired_at = NULL WHERE group_name = $1', [me.group, names]);
      await client.query('DELETE FROM event_log.positions WHERE group_name = $1 AND NOT topic_id = ANY ($2)', [me.group, topics.map(({ topicId }) => topicId)]);
    }
    await client.query(
      `INSERT INTO event_log.positions (group_name, topic_id, partition) SELECT $1, topic_id, partition FROM event_log.partitions WHERE topic_id = ANY ($2) ORDER BY 2, 3 ON CONFLICT DO NOTHING`,
      [me.group, topics.map(({ topicId }) => topicId)],
    );
    await client.query(`INSERT INTO event_log.members (group_name, member_id, instance_id, lease_until, is_present) VALUES ($1, $2, $3, clock_timestamp() + $4 * interval '1 ms', $5)`, [me.group, me.memberId, me.instanceId, me.leaseMs, me.isPresent()]);
    await client.query('UPDATE event_log.groups SET generation = generation + 1 WHERE group_name = $1', [me.group]);
    return null;
  });
}

/** Renews the lease; null when the member was given up for dead. Says again that the process is present: it may have got its lock while the member's row was not yet there to be marked. */
export async function pulse(pool: Pool, me: MemberIdentity): Promise<(Pulse & { readonly databaseNowMs: number }) | null> {
  const { rows } = await pool.query<{ generation: string; has_expired: boolean; has_foreign: boolean; now_ms: string }>({
    name: 'event_log.pulse',
    text: `UPDATE event_log.members m SET lease_until = clock_timestamp() + $3 * interval '1 ms', is_present = m.is_present OR $5 FROM event_log.groups g
            WHERE m.group_name = $1 AND m.member_id = $2 AND g.group_name = $1
        RETURNING g.generation, (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms,
                  EXISTS (SELECT FROM event_log.members o WHERE o.group_name = $1 AND o.member_id <> $2 AND (o.lease_until < clock_timestamp() OR o.instance_id <> $4 AND ${isGone('o')})) AS has_expired,
                  EXISTS (SELECT FROM event_log.members o WHERE o.instance_id <> $4) AS has_foreign`,
    values: [me.group, me.memberId, me.leaseMs, me.instanceId, me.isPresent()],
  });
  const row = rows[0];
  return row === undefined ? null : { generation: BigInt(row.generation), hasExpired: row.has_expired, hasForeign: row.has_foreign, databaseNowMs: Number(row.now_ms) };
}

/** Looks at the whole group under its row's lock: buries the dead and marks who is missing, claims free partitions up to a fair share, names what to give back. */
export async function balance(pool: Pool, me: MemberIdentity): Promise<Balance | null> {
  return inTransaction(pool, async (client) => {
    const group = await client.query<{ topics: string[]; is_retired: boolean }>('SELECT topics, retired_at IS NOT NULL AS is_retired FROM event_log.groups WHERE group_name = $1 FOR UPDATE', [me.group]);
    if (group.rows[0] === undefined || group.rows[0].is_retired) throw GroupRetired.because(me.group);
    await removeExpired(client, me);
    const members = await client.query<{ member_id: string }>('SELECT member_id FROM event_log.members WHERE group_name = $1', [me.group]);
    const ids = members.rows.map((row) => row.member_id);
    if (!ids.includes(me.memberId)) return null;
    const { rows } = await client.query<{ topic_id: number; partition: number; member_id: string | null; epoch: string }>(
      'SELECT topic_id, partition, member_id, epoch FROM event_log.positions WHERE group_name = $1 ORDER BY 1, 2',
      [me.group],
    );
    // What somebody claimed while it left is in the name of nobody who could give it back.
    const slots = rows.map((row): Slot => ({ topicId: row.topic_id, partition: row.partition, memberId: row.member_id !== null && ids.includes(row.member_id) ? row.member_id : null }));
    const { claim, surplus, leavesFree } = shareOf(me.memberId, ids, slots);
    const claimed = claim.length === 0 ? [] : await claimSlots(client, me, claim, ids);
    const generation = await client.query<{ generation: string }>('SELECT generation FROM event_log.groups WHERE group_name = $1', [me.group]);
    const kept = rows.filter((row) => row.member_id === me.memberId).map((row) => ({ topicId: row.topic_id, partition: row.partition, epoch: BigInt(row.epoch) }));
    return { generation: BigInt(generation.rows[0]?.generation ?? 0), leavesFree, claimed, surplus, holds: [...kept, ...claimed] };
  });
}

/** Gives partitions back; the others are told by the group's generation. */
export async function release(pool: Pool, me: MemberIdentity, partitions: readonly { readonly topicId: number; readonly partition: number }[]): Promise<void> {
  await pool.query(
    `WITH freed AS (
       UPDATE event_log.positions p SET member_id = NULL FROM unnest($3::int[], $4::int[]) AS f(topic_id, partition)
        WHERE p.group_name = $1 AND p.member_id = $2 AND p.topic_id = f.topic_id AND p.partition = f.partition)
     UPDATE event_log.groups SET generation = generation + 1 WHERE group_name = $1`,
    [me.group, me.memberId, partitions.map(({ topicId }) => topicId), partitions.map(({ partition }) => partition)],
  );
}

export async function leaveGroup(pool: Pool, me: MemberIdentity): Promise<void> {
  await pool.query(
    `WITH gone AS (DELETE FROM event_log.members WHERE group_name = $1 AND member_id = $2),
          freed AS (UPDATE event_log.positions SET member_id = NULL WHERE group_name = $1 AND member_id = $2)
     UPDATE event_log.groups SET generation = generation + 1 WHERE group_name = $1`,
    [me.group, me.memberId],
  );
}

async function removeExpired(client: PoolClient, me: MemberIdentity): Promise<void> {
  const removed = await client.query<{ member_id: string }>(
    `DELETE FROM event_log.members m WHERE group_name = $1 AND member_id <> $2 AND (lease_until < clock_timestamp() OR instance_id <> $3 AND ${hasBeenGone('m')}) RETURNING member_id`,
    [me.group, me.memberId, me.instanceId],
  );
  await client.query(`UPDATE event_log.members m SET absent_since = clock_timestamp() WHERE group_name = $1 AND instance_id <> $2 AND absent_since IS NULL AND ${isGone('m')}`, [me.group, me.instanceId]);
  if ((removed.rowCount ?? 0) === 0) return;
  await client.query('UPDATE event_log.positions SET member_id = NULL WHERE group_name = $1 AND member_id = ANY ($2)', [me.group, removed.rows.map((row) => row.member_id)]);
  await client.query('UPDATE event_log.groups SET generation = generation + 1 WHERE group_name = $1', [me.group]);
}

async function claimSlots(client: PoolClient, me: MemberIdentity, slots: readonly Slot[], members: readonly string[]): Promise<ClaimedPartition[]> {
  const { rows } = await client.query<{ topic_id: number; partition: number; epoch: string; from: string; hour: number }>(
    `WITH claimed AS (
       UPDATE event_log.positions p SET member_id = $2, epoch = p.epoch + 1 FROM unnest($3::int[], $4::int[]) AS c(topic_id, partition)
        WHERE p.group_name = $1 AND p.topic_id = c.topic_id AND p.partition = c.partition AND (p.member_id IS NULL OR p.member_id <> ALL ($5::uuid[]))
    RETURNING p.topic_id, p.partition, p.epoch, p.committed)
     SELECT c.topic_id, c.partition, c.epoch, greatest(c.committed, p.begin_offset) AS "from",
            coalesce((SELECT max(s.hour) FROM event_log.segments s WHERE s.topic_id = c.topic_id AND s.partition = c.partition AND s.start_offset <= greatest(c.committed, p.begin_offset)), 0) AS hour
       FROM claimed c JOIN event_log.partitions p USING (topic_id, partition) ORDER BY 1, 2`,
    [me.group, me.memberId, slots.map(({ topicId }) => topicId), slots.map(({ partition }) => partition), members],
  );
  return rows.map((row) => ({ topicId: row.topic_id, partition: row.partition, epoch: BigInt(row.epoch), from: BigInt(row.from), hour: row.hour }));
}

async function inTransaction<Result>(pool: Pool, act: (client: PoolClient) => Promise<Result>): Promise<Result> {
  const client = await pool.connect();
  // A connection that breaks between two statements says so here as well; the next statement rejects, and without a listener the process would end.
  const onBreak = (): void => undefined;
  client.on('error', onBreak);
  let isBroken = true;
  try {
    await client.query('BEGIN');
    const result = await act(client);
    await client.query('COMMIT');
    isBroken = false;
    return result;
  } finally {
    // A connection whose transaction did not end well is closed rather than reused; the server rolls it back.
    client.release(isBroken);
    if (!isBroken) client.off('error', onBreak);
  }
}
