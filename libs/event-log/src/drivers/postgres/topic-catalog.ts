import type { Pool } from 'pg';
import { LogUnavailable, TopicMismatch, TopicMissing } from '../../errors.js';
import type { TopicDefinition, TopicFigures } from '../../port.js';

export interface KnownTopic {
  readonly name: string;
  readonly topicId: number;
  readonly partitions: number;
}

/** Topics by name. Topics never lose partitions and their ids never change, so what was read once stays true. */
export class TopicCatalog {
  private readonly topics = new Map<string, KnownTopic>();
  private loading: Promise<void> | null = null;

  constructor(private readonly pool: Pool) {}

  async ensure(definitions: readonly TopicDefinition[]): Promise<void> {
    const columns = [definitions.map(({ name }) => name), definitions.map(({ partitions }) => partitions), definitions.map(({ retentionMs }) => retentionMs)];
    await this.query(
      `INSERT INTO event_log.topics (name, partitions, retention_ms) SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[]) AS wanted(name, partitions, retention_ms) ORDER BY name
       ON CONFLICT (name) DO UPDATE SET retention_ms = excluded.retention_ms WHERE topics.retention_ms <> excluded.retention_ms`,
      columns,
    );
    await this.query(
      `INSERT INTO event_log.partitions (topic_id, partition) SELECT topic_id, generate_series(0, partitions - 1) FROM event_log.topics WHERE name = ANY ($1) ORDER BY 1, 2 ON CONFLICT DO NOTHING`,
      [columns[0]],
    );
    for (const { name, partitions } of definitions) {
      const existing = await this.find(name);
      if (existing.partitions < partitions) throw TopicMismatch.because(`${name} has ${existing.partitions} partitions, ${partitions} are declared`);
    }
  }

  /** Throws `event_log.topic_missing`. */
  async find(name: string): Promise<KnownTopic> {
    const cached = this.topics.get(name);
    if (cached !== undefined) return cached;
    // One load for all who wait, so that appends go on in the order they were made.
    this.loading ??= this.load().finally(() => (this.loading = null));
    await this.loading;
    const found = this.topics.get(name);
    if (found === undefined) throw TopicMissing.because(name);
    return found;
  }

  known(name: string): KnownTopic | undefined {
    return this.topics.get(name);
  }

  async figures(): Promise<readonly TopicFigures[]> {
    const rows = await this.query<{ name: string; partitions: number; records: string; bytes: string }>(
      `SELECT t.name, t.partitions, sum(p.next_offset - p.begin_offset)::bigint AS records, sum(p.bytes - p.begin_bytes)::bigint AS bytes
         FROM event_log.topics t JOIN event_log.partitions p USING (topic_id) GROUP BY t.topic_id ORDER BY t.name`,
      [],
    );
    return rows.map((row) => ({ topic: row.name, partitions: row.partitions, records: BigInt(row.records), bytes: BigInt(row.bytes) }));
  }

  private async load(): Promise<void> {
    const rows = await this.query<{ name: string; topic_id: number; partitions: number }>('SELECT name, topic_id, partitions FROM event_log.topics', []);
    for (const { name, topic_id: topicId, partitions } of rows) this.topics.set(name, { name, topicId, partitions });
  }

  private async query<Row extends object>(text: string, values: unknown[]): Promise<Row[]> {
    try {
      return (await this.pool.query<Row>(text, values)).rows;
    } catch (error) {
      throw LogUnavailable.from(error, 'reading the topics');
    }
  }
}
