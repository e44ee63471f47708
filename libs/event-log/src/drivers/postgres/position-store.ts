import type { Pool } from 'pg';
import type { CommitPosition } from '../../driver.js';
import { Fenced } from '../../errors.js';
import type { MemberIdentity } from './group-store.js';

export type StoredPosition = CommitPosition & { readonly topicId: number };

interface Waiting {
  readonly me: MemberIdentity;
  readonly positions: readonly StoredPosition[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Members whose beat is the same millisecond or the next go together. */
const gatherMs = 2;

/**
 * Stores the positions of all members of this process in one statement.
 * Without waiting for the disk: a commit lost with the server means redelivery, which every consumer bears, never loss.
 */
export class PositionStore {
  private waiting: Waiting[] = [];

  constructor(private readonly pool: Pick<Pool, 'query'>) {}

  /** Rejects with `event_log.fenced` what the member no longer holds under that epoch; the rest is stored. */
  commit(me: MemberIdentity, positions: readonly StoredPosition[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ me, positions, resolve, reject });
      if (this.waiting.length === 1) setTimeout(() => void this.store(this.waiting.splice(0)), gatherMs);
    });
  }

  private async store(batch: readonly Waiting[]): Promise<void> {
    const rows = batch.flatMap(({ me, positions }) => positions.map((position) => ({ me, position })));
    try {
      const { rows: stored } = await this.pool.query<{ member_id: string; topic_id: number; partition: number }>({
        name: 'event_log.commit',
        text: `WITH lazy AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true) AS setting)
               UPDATE event_log.positions p SET committed = c.next
                 FROM lazy, unnest($1::text[], $2::uuid[], $3::int[], $4::int[], $5::bigint[], $6::bigint[]) AS c(group_name, member_id, topic_id, partition, epoch, next)
                WHERE lazy.setting = 'off' AND p.group_name = c.group_name AND p.member_id = c.member_id AND p.topic_id = c.topic_id AND p.partition = c.partition AND p.epoch = c.epoch
            RETURNING c.member_id, p.topic_id, p.partition`,
        values: [
          rows.map(({ me }) => me.group),
          rows.map(({ me }) => me.memberId),
          rows.map(({ position }) => position.topicId),
          rows.map(({ position }) => position.partition),
          rows.map(({ position }) => position.epoch.toString()),
          rows.map(({ position }) => position.next.toString()),
        ],
      });
      const names = new Set(stored.map((row) => nameOf(row.member_id, row.topic_id, row.partition)));
      for (const waiting of batch) settle(waiting, names);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}

function settle({ me, positions, resolve, reject }: Waiting, stored: ReadonlySet<string>): void {
  const refused = positions.filter(({ topicId, partition }) => !stored.has(nameOf(me.memberId, topicId, partition))).map(({ topic, partition }) => `${topic}/${partition}`);
  if (refused.length === 0) resolve();
  else reject(Fenced.because(`committing ${refused.join(', ')} for ${me.group}`, { partitions: refused }));
}

function nameOf(memberId: string, topicId: number, partition: number): string {
  return `${memberId}/${topicId}/${partition}`;
}
