import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { createIdentity } from '@trunkline/identity';
import { describeWithLocalKafka, freePort, startKafka, startPostgres, type LocalKafka, type PostgresServer } from '@trunkline/local-services';
import { migrate, openDatabases } from '@trunkline/storage';
import { newMasterKeys, seedCouncil, vaultOf, type Council } from '../support/council.js';
import { GatewayClient } from '../support/gateway-client.js';
import { LedgerReader } from '../support/ledger-reader.js';
import { mainOf, ServiceProcess } from '../support/service-process.js';
import { councilEvent } from '../support/service-requests.js';
import { until } from '../support/until.js';
import { tellFigure } from './figures.js';
import { residentMiB } from './memory.js';
import { processorMs } from './processor-time.js';
import { faultSeconds } from './seconds.js';
import { median } from './slope.js';
import { askOnAndOn, ownMs, type Asked, type Span } from './standstills.js';

const awaySeconds = faultSeconds(3);
jest.setTimeout((awaySeconds + 240) * 1_000);

const publishers = 64;
/** What the gateway promises; the one answer that a busy machine delays most may take so much longer. */
const answerWithinMs = 2_000;
const busyMachineMs = 5_000;
/** How late the median answer may be besides standstills: our timers and the gateway's. */
const lateTimersMs = 250;
/** What the gateway has at hand it says at once, whatever is away. */
const atOnceMs = 500;
/** How late a timer of ours is tells how busy the machine is. */
const meterEveryMs = 100;
/** So many answers in all may be late for what no timer of ours sees: a disk that stands still. */
const allowedUnexplained = 2;
const allowedGrowthMiB = 100;

interface Refusal extends Span {
  readonly status: number;
  readonly retryAfter: string | null;
}

describeWithLocalKafka('on Kafka, with the database or the broker away', () => {
  const folder = mkdtempSync(join(tmpdir(), 'trunkline-away-'));
  const ports = { database: 0, broker: 0, gateway: 0, gatewayOps: 0 };
  const apps: ServiceProcess[] = [];
  const accepted = new Set<string>();
  let database: PostgresServer;
  let broker: LocalKafka;
  let council: Council;
  let client: GatewayClient;
  let unseenKey = '';

  beforeAll(async () => {
    chmodSync(folder, 0o755);
    [ports.database, ports.broker, ports.gateway, ports.gatewayOps] = [await freePort(), await freePort(), await freePort(), await freePort()];
    await Promise.all([startDatabase(), startBroker()]);
    await migrate(database.url);
    const masterKeys = newMasterKeys();
    const databases = openDatabases(database.url);
    // No provider: a run ends with its planning.
    council = await seedCouncil({ databases, vault: vaultOf(databases, masterKeys), addresses: {} });
    // A key that the gateway has never seen when the database goes away.
    ({ apiKey: unseenKey } = await createIdentity({ databases }).createApiKey({ organisationId: council.organisationId, name: 'unseen', scopes: ['publish'] }));
    await databases.close();
    client = new GatewayClient(`http://127.0.0.1:${ports.gateway}`, council.apiKey);
    const environment = { DATABASE_URL: database.url, KAFKA_BROKERS: broker.brokers.join(','), TRUNKLINE_MASTER_KEYS: masterKeys, PORT: String(ports.gateway) };
    for (const app of ['gateway', 'sync-ledger']) {
      const opsPort = app === 'gateway' ? ports.gatewayOps : await freePort();
      const process = new ServiceProcess(app, [mainOf(app)], { ...environment, OPS_PORT: String(opsPort) }, `http://127.0.0.1:${opsPort}/readyz`);
      process.start();
      apps.push(process);
      await process.untilReady();
    }
    await publishOne('warm-up');
  });

  afterAll(async () => {
    await Promise.allSettled(apps.map((app) => app.stop()));
    await Promise.allSettled([broker.stop(), database.stop()]);
    rmSync(folder, { recursive: true, force: true });
  });

  async function startDatabase(): Promise<void> {
    database = await startPostgres({ dataDir: join(folder, 'pg'), ...(ports.database === 0 ? {} : { port: ports.database }) });
  }

  async function startBroker(): Promise<void> {
    broker = await startKafka({ dataDir: join(folder, 'kafka'), port: ports.broker });
  }

  async function publishOne(id: string): Promise<void> {
    await client.publishSurely([councilEvent(id)]);
    accepted.add(id);
  }

  /** How late a timer of ours has been at most since it was last set back. */
  function latenessMeter(): { reset(): void; mostMs(): number; stop(): void } {
    let [metAt, mostMs] = [performance.now(), 0];
    const meet = (): void => {
      mostMs = Math.max(mostMs, performance.now() - metAt - meterEveryMs);
      metAt = performance.now();
    };
    const timer = setInterval(meet, meterEveryMs).unref();
    return { reset: () => ([metAt, mostMs] = [performance.now(), 0]), mostMs: () => (meet(), mostMs), stop: () => clearInterval(timer) };
  }

  /** Publishers that never rest, each event new; answers what was not accepted. */
  async function flood(prefix: string, isOver: () => boolean): Promise<readonly Refusal[]> {
    const refusals: Refusal[] = [];
    await Promise.all(
      Array.from({ length: publishers }, async (_, publisher) => {
        for (let index = 0; !isOver(); index += 1) {
          const id = `${prefix}-${publisher}-${index}`;
          const beganAt = performance.now();
          const answer = await client.publish([councilEvent(id, { data: { summary: 'x'.repeat(4_000) } })]);
          if (answer.status === 202) accepted.add(id);
          else refusals.push({ status: answer.status, retryAfter: answer.headers.get('retry-after'), fromMs: beganAt, toMs: performance.now() });
        }
      }),
    );
    return refusals;
  }

  const gatewayMiB = (): number => residentMiB(apps[0]?.pid ?? 0);

  async function untilAllPlanned(): Promise<number> {
    const beganAt = performance.now();
    const reader = new LedgerReader(database.url);
    let missing: readonly string[] = [];
    await until('a run, done, for every accepted event', async () => {
      const rows = await reader.query<{ event_id: string }>(`select event_id from runs join run_events using (organisation_id, run_id) where state = 'done'`);
      const done = new Set(rows.map(({ event_id }) => event_id));
      missing = [...accepted].filter((id) => !done.has(id));
      return missing.length === 0;
    }, 150_000, 200).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${missing.length} of ${accepted.size} are missing, among them ${missing.slice(0, 5).join(', ')}\n${apps.map(({ name, output }) => `--- ${name}\n${output.slice(-3_000)}`).join('\n')}`);
    });
    return performance.now() - beganAt;
  }

  it('goes on accepting without the database for keys it knows, says 503 for others, and plans all of it afterwards', async () => {
    await database.kill();
    const lateness = latenessMeter();
    let endsAt = performance.now() + awaySeconds * 1_000;
    let [count, late, unexplained] = [0, 0, 0];
    while (performance.now() < endsAt) {
      const id = `without-database-${count + late}`;
      lateness.reset();
      const beganAt = performance.now();
      const { status, json } = await client.publish([councilEvent(id)]);
      const tookMs = performance.now() - beganAt;
      // Only a machine that stands still for all the time an answer has may say so; what it takes is not taken from the time watched.
      const isLate = status === 503 && String(json['code']) === 'gateway.not_durable' && tookMs > 0.9 * answerWithinMs;
      expect({ status, isLate }).toEqual({ status: isLate ? 503 : 202, isLate });
      if (isLate) {
        late += 1;
        endsAt += tookMs;
        if (lateness.mostMs() < answerWithinMs / 2) unexplained += 1;
        expect(unexplained).toBeLessThanOrEqual(allowedUnexplained);
      } else {
        accepted.add(id);
        count += 1;
      }
      await wait(20);
    }
    lateness.stop();
    expect(count).toBeGreaterThan(late);
    const stranger = await new GatewayClient(client.url, unseenKey).publish([councilEvent('of-a-stranger')]);
    expect(stranger.status).toBe(503);
    await startDatabase();
    const tookMs = await untilAllPlanned();
    tellFigure(`PostgreSQL away ${awaySeconds} s, log on Kafka`, `${count} events accepted meanwhile, all planned ${(tookMs / 1000).toFixed(1)} s after its return`);
  });

  it('accepts nothing without the broker, answers 503 in time, does not grow, and goes on afterwards', async () => {
    // Warm, so that what the flood needs at work is not taken for growth.
    const warmAt = performance.now() + 1_500;
    await flood('warm', () => performance.now() > warmAt);
    const beforeMiB = gatewayMiB();
    await broker.kill();
    let most = beforeMiB;
    const meter = setInterval(() => (most = Math.max(most, gatewayMiB())), meterEveryMs);
    const asking = askOnAndOn(`http://127.0.0.1:${ports.gatewayOps}/healthz`, () => processorMs(apps[0]?.pid ?? 0));
    const before = accepted.size;
    const endsAt = performance.now() + awaySeconds * 1_000;
    let refusals: readonly Refusal[] = [];
    let asked: readonly Asked[] = [];
    try {
      refusals = await flood('without-broker', () => performance.now() > endsAt);
    } finally {
      clearInterval(meter);
      asked = await asking.end();
    }
    // Answers that were on their way when the broker died may say 202; nothing begun later may.
    expect(accepted.size - before).toBeLessThanOrEqual(0);
    expect(refusals.length).toBeGreaterThan(publishers / 2);
    expect(refusals.filter(({ status, retryAfter }) => status !== 503 || !/^[1-9]\d*$/.test(retryAfter ?? ''))).toEqual([]);
    const slowest = Math.max(...refusals.map(({ fromMs, toMs }) => toMs - fromMs));
    const usual = median(refusals.map(({ fromMs, toMs }) => toMs - fromMs));
    expect(median(asked.map(({ fromMs, toMs }) => toMs - fromMs))).toBeLessThan(atOnceMs);
    // Each answer is let off only the standstills in its own time, not the worst of the whole outage.
    expect(median(refusals.map((refusal) => ownMs(refusal, asked)))).toBeLessThan(answerWithinMs + lateTimersMs);
    expect(slowest).toBeLessThan(answerWithinMs + busyMachineMs);
    expect(most - beforeMiB).toBeLessThan(allowedGrowthMiB);

    await startBroker();
    const returnedAt = performance.now();
    await publishOne('after-the-broker');
    const acceptsAfterMs = performance.now() - returnedAt;
    const tookMs = await untilAllPlanned();
    tellFigure(`broker away ${awaySeconds} s, ${publishers} publishers`, `0 accepted, ${refusals.length} answers 503 + Retry-After, median ${Math.round(usual)} ms, slowest ${Math.round(slowest)} ms, gateway ${beforeMiB.toFixed(0)} → at most ${most.toFixed(0)} MiB; accepts ${(acceptsAfterMs / 1000).toFixed(1)} s after its return, all planned ${(tookMs / 1000).toFixed(1)} s later`);
  });

  it('does not unfold a small body that says it is compressed', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024, ' '));
    const before = gatewayMiB();
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => fetch(`${client.url}/api/events`, { method: 'POST', body: bomb, headers: { authorization: `Bearer ${council.apiKey}`, 'content-type': 'application/cloudevents+json', 'content-encoding': 'gzip' } }).then(({ status }) => status)),
    );
    expect(new Set(answers)).toEqual(new Set([415]));
    expect(gatewayMiB() - before).toBeLessThan(allowedGrowthMiB);
    tellFigure('gzip bombs sent to us (20 × 64 KB for 64 MB)', `all 415, gateway ${before.toFixed(0)} → ${gatewayMiB().toFixed(0)} MiB`);
  });
});
