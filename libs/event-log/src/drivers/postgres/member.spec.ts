import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { startPostgresHarness, type PostgresHarness } from '../../testing/postgres-harness.js';
import { PostgresMember } from './member.js';
import { PositionStore } from './position-store.js';
import { Reader } from './reader.js';
import { TopicCatalog } from './topic-catalog.js';

/** Longer than what is waited for in it, each with its own message. */
jest.setTimeout(120_000);

const hourMs = 3_600_000;
const partitions = 7;
const pools: pg.Pool[] = [];
const members: PostgresMember[] = [];

let harness: PostgresHarness;
beforeAll(async () => {
  harness = await startPostgresHarness();
}, 60_000);
afterEach(async () => {
  for (const member of members.splice(0)) member.end();
  for (const pool of pools.splice(0)) await pool.end();
});
afterAll(() => harness?.close());

/** A member that looks at its group only when told to: no heartbeat comes by itself, and nobody hears of its acts. */
async function memberOf(group: string, memberId: string) {
  const catalog = new TopicCatalog(harness.pool);
  await catalog.ensure([{ name: 'uneven', partitions, retentionMs: hourMs }]);
  const pool = new pg.Pool({ connectionString: harness.url, max: 2 });
  // A connection that is being closed may still hear that the server is, and without a listener that would end the process.
  pool.on('error', () => undefined);
  const reader = new Reader(pool, { pollMs: hourMs, idlePollMs: hourMs, fetchRecords: 10, fetchBytes: 1_000 }, () => undefined);
  const member = new PostgresMember({
    pool, reader, topics: [await catalog.find('uneven')], positions: new PositionStore(pool), heartbeatMs: hourMs,
    identity: { group, memberId, instanceId: randomUUID(), leaseMs: hourMs, isPresent: () => false },
    events: { assigned: () => undefined, revoked: () => Promise.resolve(), deliver: () => undefined, crashed: () => undefined },
    tellGroup: () => undefined, forget: () => undefined, onPulse: () => undefined,
  });
  pools.push(pool);
  members.push(member);
  return { memberId, member, held: () => reader.held().length, isResting: () => pool.waitingCount === 0 && pool.idleCount === pool.totalCount };
}

async function joinAll(group: string, ids: readonly string[]) {
  const all = await Promise.all(ids.map((id) => memberOf(group, id)));
  await Promise.all(all.map(({ member }) => member.join()));
  return all;
}

type Joined = Awaited<ReturnType<typeof memberOf>>;

const heldBy = (some: readonly Joined[]): readonly number[] => some.map(({ held }) => held());

/** As many heartbeats as it takes. */
async function beatUntil(some: readonly Joined[], what: string, holds: () => boolean): Promise<void> {
  for (const deadline = performance.now() + 20_000; !holds(); await wait(10)) {
    if (performance.now() > deadline) throw new Error(`not within 20 s: ${what}; held: ${heldBy(some).join()}`);
    for (const { member, isResting } of some) if (isResting()) member.beatSoon();
  }
  await untilResting(some);
}

/** Until none of them has a statement under way. */
async function untilResting(some: readonly Joined[]): Promise<void> {
  for (const deadline = performance.now() + 20_000; !some.every(({ isResting }) => isResting()); await wait(10)) {
    if (performance.now() > deadline) throw new Error(`not within 20 s: nothing under way any more; ${JSON.stringify(some.map(({ member, isResting }) => ({ isResting: isResting(), health: member.health() })))}`);
  }
}

it.each(['lower', 'higher'])('leaves no partition of a dead member without an owner when the survivor with the %s id looks first', async (which) => {
  const all = await joinAll(`uneven-${which}`, [randomUUID(), randomUUID(), randomUUID()].sort());
  await beatUntil(all, 'seven are shared', () => heldBy(all).toSorted().join() === '2,2,3');
  const dead = all.find(({ held }) => held() === 3);
  const survivors = all.filter((one) => one !== dead);
  dead?.member.end();
  await harness.pool.query(`UPDATE event_log.members SET lease_until = clock_timestamp() - interval '1 s' WHERE member_id = $1`, [dead?.memberId]);
  for (const looking of which === 'lower' ? survivors : survivors.toReversed()) {
    const before = looking.held();
    await beatUntil([looking], 'it takes some of what is free', () => looking.held() > before);
  }
  await beatUntil(survivors, 'the survivors hold all', () => heldBy(survivors).toSorted().join() === '3,4');
});

/** Until so many statements wait for what somebody else has locked. */
async function statementsWait(count: number): Promise<void> {
  const waiting = async (): Promise<number | null> => (await harness.pool.query(`SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%event_log.%'`)).rowCount;
  for (const deadline = performance.now() + 20_000; (await waiting()) !== count; await wait(10)) {
    if (performance.now() > deadline) throw new Error(`not within 20 s: ${count} statements wait`);
  }
}

it('joins once, although the group tells of a change while it does', async () => {
  const group = 'told';
  await joinAll(group, [randomUUID()]);
  const another = await harness.pool.connect();
  await another.query('BEGIN');
  await another.query('SELECT FROM event_log.groups WHERE group_name = $1 FOR UPDATE', [group]);
  const joining = await memberOf(group, randomUUID());
  const joined = joining.member.join();
  await statementsWait(1);
  joining.member.beatSoon();
  await another.query('COMMIT');
  another.release();
  await joined;
  await untilResting([joining]);
  expect(joining.member.health()).toEqual({ ready: true });
});

it('leaves no partition in its name that it was claiming while it left', async () => {
  const group = 'leaving';
  const [dead, leaving] = await joinAll(group, [randomUUID(), randomUUID()]);
  if (dead === undefined || leaving === undefined) throw new Error('two were to join');
  await beatUntil([dead, leaving], 'seven are shared', () => heldBy([dead, leaving]).toSorted().join() === '3,4');
  dead.member.end();
  await harness.pool.query(`UPDATE event_log.members SET lease_until = clock_timestamp() - interval '1 s' WHERE member_id = $1`, [dead.memberId]);
  const another = await harness.pool.connect();
  await another.query('BEGIN');
  await another.query('SELECT FROM event_log.positions WHERE group_name = $1 AND member_id = $2 FOR UPDATE', [group, dead.memberId]);
  // It is about to take what the dead one held; the statement by which it leaves has looked before it could.
  leaving.member.beatSoon();
  await statementsWait(1);
  const left = leaving.member.leave();
  await statementsWait(2);
  await another.query('COMMIT');
  another.release();
  await left;
  const [next] = await joinAll(group, [randomUUID()]);
  if (next === undefined) throw new Error('one was to join');
  await beatUntil([next], 'the next member holds all', () => next.held() === partitions);
});
