import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import type { LogDriver } from '../../driver.js';
import { LogUnavailable } from '../../errors.js';
import type { LogRecord } from '../../port.js';
import { partitionOf } from '../../partitioner.js';
import { Appender, type Destination } from './appender.js';
import { lagOf } from './lag.js';
import { PostgresMember } from './member.js';
import { Reader } from './reader.js';
import { TopicCatalog, type KnownTopic } from './topic-catalog.js';
import { WakeUps } from './wake-up.js';

export interface PostgresDriverOptions {
  /** Of a role that may use schema `event_log` (`app_log`); at least four connections. The caller ends it after `close`. */
  readonly pool: Pool;
  /** For the one connection that carries hints to and from other processes; without it they find new records by polling. */
  readonly listenConnectionString?: string;
  readonly sessionTimeoutMs?: number;
  readonly heartbeatMs?: number;
  readonly pollMs?: number;
  readonly idlePollMs?: number;
  /** How often hours are prepared and dropped. */
  readonly maintenanceMs?: number;
}

export interface PostgresDriver extends LogDriver {
  /** Drops the hours that are past retention and read by all groups; runs by itself too. Answers with their number. */
  enforceRetention(nowMs?: number): Promise<number>;
}

export function createPostgresDriver(options: PostgresDriverOptions): PostgresDriver {
  const { pool, sessionTimeoutMs = 10_000, heartbeatMs = 1_000, pollMs = 200, idlePollMs = 1_000, maintenanceMs = 60_000 } = options;
  const instanceId = randomUUID();
  const catalog = new TopicCatalog(pool);
  const members = new Set<PostgresMember>();
  let clockOffsetMs: number | null = null;
  let hasForeign = true;
  let spreader = 0;

  // A pooled connection that breaks while idle is replaced at its next use; without a listener the process would end.
  const onIdleError = (): void => undefined;
  pool.on('error', onIdleError);

  const wakeUps = new WakeUps(options.listenConnectionString, instanceId, ({ topicIds, groups }) => {
    hasForeign = true;
    for (const member of members) {
      if (groups.includes(member.group)) member.beatSoon();
      if (member.readsAny(topicIds)) member.reader.wake();
    }
  });
  void wakeUps.open();

  const topicIdsByName = new Map<string, number>();
  const appender = new Appender(pool, (records) => {
    const topicId = topicIdsByName.get(records[0]?.topic ?? '');
    for (const member of members) member.reader.handOver(records);
    if (topicId !== undefined && (hasForeign || members.size === 0)) wakeUps.announceTopics([topicId]);
  });

  const tellGroup = (group: string, teller: PostgresMember): void => {
    for (const member of members) if (member !== teller && member.group === group) member.beatSoon();
    wakeUps.announceGroup(group);
  };

  const enforceRetention = async (nowMs = Date.now() + (clockOffsetMs ?? 0)): Promise<number> => {
    await pool.query('SELECT event_log.roll_hours()');
    const { rows } = await pool.query<{ dropped: number }>('SELECT event_log.drop_hours($1) AS dropped', [Math.floor(nowMs)]);
    await refreshHours(pool, [...members].map((member) => member.reader));
    return rows[0]?.dropped ?? 0;
  };
  // A round that finds the database away is made up for by the next one.
  const maintenance = setInterval(() => void enforceRetention().catch(() => undefined), maintenanceMs);
  maintenance.unref();

  const destinationOf = ({ name, topicId, partitions }: KnownTopic, record: LogRecord): Destination => ({
    topic: name,
    topicId,
    partition: record.key === null ? (spreader = (spreader + 1) % partitions) : partitionOf(record.key, partitions),
  });

  return {
    name: 'postgres',
    ensureTopics: (topics) => catalog.ensure(topics),
    async append(topic, records) {
      const known = await catalog.find(topic);
      topicIdsByName.set(known.name, known.topicId);
      return appender.append(records, records.map((record) => destinationOf(known, record)));
    },
    async join({ group, topics, fetchRecords }, events) {
      const known = await Promise.all(topics.map((topic) => catalog.find(topic)));
      const reader = new Reader(pool, { pollMs, idlePollMs, fetchRecords, fetchBytes: 16 * 1024 * 1024 }, (assignment, records) => events.deliver(assignment, records));
      const member: PostgresMember = new PostgresMember({
        pool,
        identity: { group, memberId: randomUUID(), instanceId, leaseMs: sessionTimeoutMs },
        topics: known,
        reader,
        events,
        heartbeatMs,
        tellGroup: () => tellGroup(group, member),
        forget: () => members.delete(member),
        onPulse: (facts) => {
          hasForeign = facts.hasForeign;
          clockOffsetMs = facts.clockOffsetMs;
        },
      });
      members.add(member);
      try {
        await member.join();
      } catch (error) {
        member.end();
        members.delete(member);
        throw LogUnavailable.from(error, `joining group ${group}`);
      }
      return member;
    },
    topics: () => catalog.figures(),
    lag: (group) => lagOf(pool, group),
    clockOffsetMs: () => clockOffsetMs,
    async ping() {
      const sentAtMs = Date.now();
      try {
        const { rows } = await pool.query<{ now_ms: number }>('SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms');
        clockOffsetMs = (rows[0]?.now_ms ?? sentAtMs) - (sentAtMs + Date.now()) / 2;
      } catch (error) {
        throw LogUnavailable.from(error, 'asking the database for the time');
      }
    },
    async close() {
      clearInterval(maintenance);
      appender.close();
      for (const member of members) member.end();
      members.clear();
      await wakeUps.close();
      pool.off('error', onIdleError);
    },
    enforceRetention,
  };
}

/** Readers that stand at the end of a partition move on to its newest hour. */
async function refreshHours(pool: Pool, readers: readonly Reader[]): Promise<void> {
  const holdings = readers.flatMap((reader) => reader.held());
  if (holdings.length === 0) return;
  const asked = holdings.map((holding) => ({ holding, position: holding.position }));
  const { rows } = await pool.query<{ slot: number; hour: number | null }>(
    `SELECT p.slot::int, (SELECT max(s.hour) FROM event_log.segments s WHERE s.topic_id = p.topic_id AND s.partition = p.partition AND s.start_offset <= p.position) AS hour
       FROM unnest($1::int[], $2::int[], $3::bigint[]) WITH ORDINALITY AS p(topic_id, partition, position, slot)`,
    [holdings.map(({ topicId }) => topicId), holdings.map(({ partition }) => partition), asked.map(({ position }) => position.toString())],
  );
  for (const { slot, hour } of rows) {
    const holding = asked[slot - 1]?.holding;
    if (holding !== undefined && hour !== null) holding.hour = Math.max(holding.hour, hour);
  }
}
