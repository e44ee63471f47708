import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, statfsSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { startPostgres, type PostgresServer } from '@trunkline/local-services';
import { councilEvent } from '../../support/service-requests.js';
import { until } from '../../support/until.js';
import { tellFigure } from '../figures.js';
import { OneGateway, watchEnd } from '../one-gateway.js';
import { faultSeconds } from '../seconds.js';

const fullSeconds = faultSeconds(10);
jest.setTimeout((fullSeconds + 180) * 1_000);

/** Room for a migrated database and little more. */
const sizeMiB = 192;

describe('a disk that is full under PostgreSQL', () => {
  const folder = mkdtempSync(join(tmpdir(), 'trunkline-disk-full-'));
  const ballast = join(folder, 'ballast');
  const settings = ['max_wal_size=48MB', 'min_wal_size=32MB'];
  let server: PostgresServer;
  let hasEnded = (): boolean => false;
  let gateway: OneGateway | undefined;

  beforeAll(async () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMiB}m,mode=0755`, 'tmpfs', folder]);
    chmodSync(folder, 0o755);
    server = await startPostgres({ dataDir: join(folder, 'pg'), settings });
    hasEnded = watchEnd(server);
    gateway = await OneGateway.start(server.url);
  });

  afterAll(async () => {
    await gateway?.end();
    await server.stop();
    execFileSync('umount', ['-l', folder]);
    rmSync(folder, { recursive: true, force: true });
  });

  /** As a supervisor does; with a full disk it may end again at once. */
  async function restart(): Promise<void> {
    server = await startPostgres({ dataDir: join(folder, 'pg'), port: server.port, settings });
    hasEnded = watchEnd(server);
  }

  function freeBytes(): number {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  }

  it('no 202 that is not durable; accepting goes on when there is room, and everything accepted is planned', async () => {
    if (gateway === undefined) throw new Error('not started');
    const { client, accepted } = gateway;
    await gateway.publish('with room', 20);
    // All that is left, so that neither tables nor the write-ahead log can grow.
    writeFileSync(ballast, Buffer.alloc(Math.max(0, freeBytes() - 64 * 1024)));
    const refused: number[] = [];
    const wrong = new Set<string>();
    const endsAt = performance.now() + fullSeconds * 1_000;
    let crashes = 0;
    for (let index = 0; performance.now() < endsAt; index += 1) {
      const id = `no room ${index}`;
      const answer = await client.publish([councilEvent(id, { data: { summary: 'x'.repeat(100_000) } })]).catch(() => null);
      if (answer?.status === 202) accepted.add(id);
      else refused.push(answer?.status ?? 0);
      if (answer !== null && answer.status !== 202 && answer.status !== 503) wrong.add(`${answer.status} ${String(answer.json['code'])}`);
      if (hasEnded()) {
        crashes += 1;
        await restart().catch(() => wait(500));
      }
      await wait(20);
    }
    expect(refused.length).toBeGreaterThan(0);
    if (wrong.size > 0) throw new Error(`${[...wrong].join(', ')}\n${gateway.lastWords}`);
    expect(new Set(refused)).toEqual(new Set([503]));
    unlinkSync(ballast);
    if (hasEnded()) await restart();
    const freedAt = performance.now();
    await gateway.publish('room again', 20);
    const backMs = performance.now() - freedAt;
    await gateway.startLedger();
    await until('a run for all that was accepted', async () => (await gateway?.missing())?.length === 0, 60_000, 200);
    tellFigure(`disk full under PostgreSQL ${fullSeconds} s (tmpfs of ${sizeMiB} MiB)`, `${refused.length} × 503, ${accepted.size} accepted, all planned; the server ended ${crashes} times; accepting again ${(backMs / 1000).toFixed(1)} s after there was room`);
  });
});
