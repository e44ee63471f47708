import type { Pool } from 'pg';
import { LogUnavailable } from '../../errors.js';
import type { PartitionLag } from '../../port.js';

/** How far a group has read, by partition; empty for a group nobody knows. */
export async function lagOf(pool: Pool, group: string): Promise<readonly PartitionLag[]> {
  try {
    const { rows } = await pool.query<Row>(
      `SELECT t.name, p.partition, p.next_offset, c.committed,
              (SELECT r.appended_at_ms FROM event_log.records r
                WHERE r.topic_id = p.topic_id AND r.partition = p.partition AND r."offset" = c.committed
                  AND r.hour >= coalesce((SELECT max(s.hour) FROM event_log.segments s WHERE s.topic_id = p.topic_id AND s.partition = p.partition AND s.start_offset <= c.committed), 0)) AS oldest_ms
         FROM event_log.positions o
         JOIN event_log.partitions p USING (topic_id, partition)
         JOIN event_log.topics t USING (topic_id)
        CROSS JOIN LATERAL (SELECT greatest(o.committed, p.begin_offset) AS committed) c
        WHERE o.group_name = $1 ORDER BY t.name, p.partition`,
      [group],
    );
    return rows.map((row) => ({
      topic: row.name,
      partition: row.partition,
      endOffset: BigInt(row.next_offset),
      committed: BigInt(row.committed),
      lag: BigInt(row.next_offset) - BigInt(row.committed),
      oldestUnreadAtMs: row.oldest_ms === null ? null : Number(row.oldest_ms),
    }));
  } catch (error) {
    throw LogUnavailable.from(error, `reading the offsets of ${group}`);
  }
}

interface Row {
  readonly name: string;
  readonly partition: number;
  readonly next_offset: string;
  readonly committed: string;
  readonly oldest_ms: string | null;
}
