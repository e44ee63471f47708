import pg from 'pg';
import type { LogMember, MemberEvents } from '../../driver.js';
import { startPostgresHarness, type PostgresHarness } from '../../testing/postgres-harness.js';
import { createPostgresDriver, type PostgresDriver } from './driver.js';
import { absenceMs } from './presence.js';

const topic = 'presence';
const partitions = 4;
/** Far longer than any test waits: what happens sooner happens because of the presence lock. */
const leaseMs = 120_000;

let harness: PostgresHarness;
const open: Process[] = [];
beforeAll(async () => {
  harness = await startPostgresHarness();
}, 60_000);
afterEach(async () => {
  for (const process of open.splice(0)) await process.end();
});
afterAll(() => harness?.close());

/** One process with one member of the group. */
class Process implements MemberEvents {
  readonly held = new Set<number>();
  lostCount = 0;
  private readonly pool = new pg.Pool({ connectionString: harness.url, max: 4 });
  readonly driver: PostgresDriver = createPostgresDriver({ pool: this.pool, listenConnectionString: harness.url, sessionTimeoutMs: leaseMs, heartbeatMs: 200 });
  member: LogMember | undefined;

  static async start(group: string): Promise<Process> {
    const process = new Process();
    open.push(process);
    await process.driver.ensureTopics([{ name: topic, partitions, retentionMs: 3_600_000 }]);
    process.member = await process.driver.join({ group, topics: [topic], fetchRecords: 10 }, process);
    return process;
  }

  assigned(given: readonly { readonly partition: number }[]): void {
    for (const { partition } of given) this.held.add(partition);
  }
  async revoked(taken: readonly { readonly partition: number }[], how: 'release' | 'lost'): Promise<void> {
    if (how === 'lost') this.lostCount += 1;
    for (const { partition } of taken) this.held.delete(partition);
  }
  deliver(): void {}
  crashed(): void {}

  /** As kill -9 leaves it: no word to the group, the kernel closes the sockets. */
  async end(): Promise<void> {
    await this.driver.close();
    if (!this.pool.ended) await this.pool.end();
  }
}

async function until(what: string, holds: () => boolean | Promise<boolean>, withinMs = 20_000): Promise<number> {
  const startedAt = performance.now();
  while (!(await holds())) {
    if (performance.now() - startedAt > withinMs) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return performance.now() - startedAt;
}

const arePresent = async (group: string, count: number): Promise<boolean> => (await harness.pool.query('SELECT FROM event_log.members WHERE group_name = $1 AND is_present', [group])).rowCount === count;

it('gives the partitions of a killed process to the others long before its lease ends', async () => {
  const group = 'killed';
  const [killed, survivor] = [await Process.start(group), await Process.start(group)];
  await until('both present, partitions shared', async () => (await arePresent(group, 2)) && killed.held.size === 2 && survivor.held.size === 2);
  await killed.end();
  const tookMs = await until('the survivor holds all', () => survivor.held.size === partitions);
  expect(tookMs).toBeLessThan(leaseMs / 10);
});

it('misses a killed process as soon when the row of its member came too late to be marked with its lock', async () => {
  const group = 'unmarked';
  const [killed, survivor] = [await Process.start(group), await Process.start(group)];
  await until('both present, partitions shared', async () => (await arePresent(group, 2)) && killed.held.size === 2 && survivor.held.size === 2);
  // How a row stands that was written while the lock was being taken: asked before it, committed after the marking.
  await harness.pool.query('UPDATE event_log.members SET is_present = false WHERE group_name = $1', [group]);
  await until('both are marked again', () => arePresent(group, 2));
  await killed.end();
  const tookMs = await until('the survivor holds all', () => survivor.held.size === partitions);
  expect(tookMs).toBeLessThan(leaseMs / 10);
});

it('lets a process that was started again have the partitions of its killed self', async () => {
  const group = 'restarted';
  const before = await Process.start(group);
  await until('present', async () => (await arePresent(group, 1)) && before.held.size === partitions);
  await before.end();
  const after = await Process.start(group);
  await until('the new one holds all', () => after.held.size === partitions);
});

it('takes nothing from a process that only lost the connection of its lock', async () => {
  const group = 'cut';
  const [cut, other] = [await Process.start(group), await Process.start(group)];
  const areWhole = async (): Promise<boolean> => (await arePresent(group, 2)) && cut.held.size === 2 && other.held.size === 2;
  const heldAndLost = () => [cut, other].map(({ held, lostCount }) => [held.size, lostCount]);
  for (let attempt = 1, isJudged = false; !isJudged; attempt += 1) {
    await until('both present', areWhole);
    const before = heldAndLost();
    const awayMs = [await cutBoth(group), await cutBoth(group), await cutBoth(group)];
    const beats = [cut, other].map(({ member }) => member?.lastHeartbeatMs() ?? 0);
    await until('both have looked at the group since', () => [cut, other].every(({ member }, index) => (member?.lastHeartbeatMs() ?? 0) > (beats[index] ?? 0) + 1_000));
    // On a machine that stood still they may have been away for longer than others wait, which is no loss of a connection alone.
    isJudged = Math.max(...awayMs) < absenceMs || attempt === 10;
    if (isJudged) expect(heldAndLost()).toEqual(before);
  }
}, 120_000);

/** Ends the connections that show both processes to live. Answers with how long it took at most until both were seen again. */
async function cutBoth(group: string): Promise<number> {
  const shown = async (): Promise<readonly number[]> => (await harness.pool.query<{ pid: number }>(`SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted`)).rows.map(({ pid }) => pid);
  const before = await shown();
  const cutAt = performance.now();
  await harness.pool.query('SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid', [before]);
  await until('both shown again', async () => {
    const after = await shown();
    return after.length === 2 && !after.some((pid) => before.includes(pid));
  });
  const awayMs = performance.now() - cutAt;
  await until('none is noted as absent', async () => (await harness.pool.query('SELECT FROM event_log.members WHERE group_name = $1 AND absent_since IS NOT NULL', [group])).rowCount === 0);
  return awayMs;
}
