import { randomUUID } from 'node:crypto';
import type { Pool, PoolClient, QueryConfig } from 'pg';
import type { JoinRequest, LogDriver, LogMember, MemberEvents } from '../../driver.js';
import { LogUnavailable } from '../../errors.js';
import type { LogRecord } from '../../port.js';
import { partitionOf } from '../../partitioner.js';
import { Appender, type Destination } from './appender.js';
import { lagOf } from './lag.js';
import { PostgresMember } from './member.js';
import { PositionStore } from './position-store.js';
import { Reader } from './reader.js';
import { TopicCatalog, type KnownTopic } from './topic-catalog.js';
import { WakeUps } from './wake-up.js';

export interface PostgresDriverOptions {
  /** Of a role that may use schema `event_log` (`app_log`); at least four connections. The caller ends it after `close`. */
  readonly pool: Pool;
  /** For the one connection that carries hints to and from other processes and shows this one to live; without it they find new records by polling, and a killed process by the end of its lease. */
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

/** What one read brings at most, whatever the number of partitions. */
const fetchBytes = 4 * 1024 * 1024;

export function createPostgresDriver(options: PostgresDriverOptions): PostgresDriver {
  const { pool, sessionTimeoutMs = 10_000, heartbeatMs = 1_000, pollMs = 200, idlePollMs = 1_000, maintenanceMs = 60_000 } = options;
  const instanceId = randomUUID();
  const catalog = new TopicCatalog(pool);
  const members = new Set<PostgresMember>();
  const positions = new PositionStore(pool);
  const destinationOf = destinations();
  let clockOffsetMs: number | null = null;
  let hasForeign = true;

  // A pooled connection that breaks while idle is replaced at its next use; without a listener the process would end. It stays after `close`: the pool may live longer.
  pool.on('error', () => undefined);

  const wakeUps = new WakeUps(options.listenConnectionString, instanceId, ({ topicIds, groups }) => {
    hasForeign = true;
    for (const member of members) {
      if (groups.includes(member.group)) member.beatSoon();
      if (member.readsAny(topicIds)) member.reader.wake();
    }
  }, () => members.forEach((member) => member.beatSoon()));
  void wakeUps.open();

  const appender = new Appender(pool, (records) => {
    const topicId = catalog.known(records[0]?.topic ?? '')?.topicId;
    for (const member of members) member.reader.handOver(records);
    if (topicId !== undefined && (hasForeign || members.size === 0)) wakeUps.announceTopics([topicId]);
  });

  const tellGroup = (group: string, teller: PostgresMember): void => {
    for (const member of members) if (member !== teller && member.group === group) member.beatSoon();
    wakeUps.announceGroup(group);
  };

  const enforceRetention = (nowMs = Date.now() + (clockOffsetMs ?? 0)): Promise<number> => dropHours(pool, nowMs, [...members].map((member) => member.reader));
  const maintenance = everySoOften(enforceRetention, maintenanceMs);

  const join = async ({ group, topics, fetchRecords }: JoinRequest, events: MemberEvents): Promise<LogMember> => {
    const known = await Promise.all(topics.map((topic) => catalog.find(topic)));
    const reader = new Reader(pool, { pollMs, idlePollMs, fetchRecords, fetchBytes }, (assignment, records) => events.deliver(assignment, records));
    const member: PostgresMember = new PostgresMember({
      pool,
      positions,
      identity: { group, memberId: randomUUID(), instanceId, leaseMs: sessionTimeoutMs, isPresent: () => wakeUps.isPresent },
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
  };

  return {
    name: 'postgres',
    ensureTopics: (topics) => catalog.ensure(topics),
    async append(topic, records) {
      const known = await catalog.find(topic);
      return appender.append(records, records.map((record) => destinationOf(known, record)));
    },
    join,
    topics: () => catalog.figures(),
    lag: (group) => lagOf(pool, group),
    clockOffsetMs: () => clockOffsetMs,
    ping: () => measureClockOffset(pool).then((offsetMs) => void (clockOffsetMs = offsetMs)),
    async close() {
      clearInterval(maintenance);
      appender.close();
      for (const member of members) member.end();
      members.clear();
      await wakeUps.close();
    },
    enforceRetention,
  };
}

/** A round that finds the database away is made up for by the next one. */
function everySoOften(act: () => Promise<unknown>, everyMs: number): NodeJS.Timeout {
  return setInterval(() => void act().catch(() => undefined), everyMs).unref();
}

async function measureClockOffset(pool: Pool): Promise<number> {
  const sentAtMs = Date.now();
  try {
    const { rows } = await pool.query<{ now_ms: number }>('SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms');
    return (rows[0]?.now_ms ?? sentAtMs) - (sentAtMs + Date.now()) / 2;
  } catch (error) {
    throw LogUnavailable.from(error, 'asking the database for the time');
  }
}

async function dropHours(pool: Pool, nowMs: number, readers: readonly Reader[]): Promise<number> {
  await pool.query('SELECT event_log.roll_hours()');
  const dropped = await withoutHurry(pool, (client) => client.query<{ dropped: number }>({ text: 'SELECT event_log.drop_hours($1) AS dropped', values: [Math.floor(nowMs)], query_timeout: longDropMs } as QueryConfig));
  await refreshHours(pool, readers);
  return dropped.rows[0]?.dropped ?? 0;
}

/** After long standstill many hours go at once; cut off at the usual statement time-out they would never go. */
const longDropMs = 15 * 60_000;

async function withoutHurry<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let failure: unknown;
  // A connection that breaks rejects the statement as well; without a listener it would end the process.
  const onBreak = (): void => undefined;
  client.on('error', onBreak);
  try {
    await client.query(`BEGIN; SET LOCAL statement_timeout = ${longDropMs}`);
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    // A connection in an unknown state is not used again.
    client.release(failure !== undefined);
    if (failure === undefined) client.off('error', onBreak);
  }
}

/** Null keys go round robin. */
function destinations(): (topic: KnownTopic, record: LogRecord) => Destination {
  let spread = 0;
  return ({ name, topicId, partitions }, { key }) => ({ topic: name, topicId, partition: key === null ? (spread = (spread + 1) % partitions) : partitionOf(key, partitions) });
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
