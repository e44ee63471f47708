import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, startPostgres, type PostgresServer } from '@trunkline/local-services';
import { migrate, openDatabases } from '@trunkline/storage';
import { newMasterKeys, seedCouncil, vaultOf } from '../support/council.js';
import { GatewayClient } from '../support/gateway-client.js';
import { LedgerReader } from '../support/ledger-reader.js';
import { mainOf, ServiceProcess } from '../support/service-process.js';
import { councilEvent } from '../support/service-requests.js';
import { until } from '../support/until.js';

jest.setTimeout(180_000);

describe('P1: nothing accepted is lost', () => {
  const folder = mkdtempSync(join(tmpdir(), 'trunkline-p01-'));
  let server: PostgresServer;
  let gateway: ServiceProcess;
  let ledger: ServiceProcess;
  let client: GatewayClient;
  const receipts = new Map<string, string>();

  beforeAll(async () => {
    chmodSync(folder, 0o755);
    // As it is delivered: synchronous commits that reach the disk.
    server = await startPostgres({ dataDir: join(folder, 'pg') });
    await migrate(server.url);
    const masterKeys = newMasterKeys();
    const databases = openDatabases(server.url);
    // No provider: a run ends with its planning.
    const council = await seedCouncil({ databases, vault: vaultOf(databases, masterKeys), addresses: {} });
    await databases.close();
    const [port, gatewayOps, ledgerOps] = [await freePort(), await freePort(), await freePort()];
    const environment = { DATABASE_URL: server.url, TRUNKLINE_MASTER_KEYS: masterKeys, PORT: String(port) };
    gateway = new ServiceProcess('gateway', [mainOf('gateway')], { ...environment, OPS_PORT: String(gatewayOps) }, `http://127.0.0.1:${gatewayOps}/readyz`);
    ledger = new ServiceProcess('ledger', [mainOf('sync-ledger')], { ...environment, OPS_PORT: String(ledgerOps) }, `http://127.0.0.1:${ledgerOps}/readyz`);
    client = new GatewayClient(`http://127.0.0.1:${port}`, council.apiKey);
    gateway.start();
    await gateway.untilReady();
  });

  afterAll(async () => {
    await Promise.allSettled([gateway.stop(), ledger.stop()]);
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function killBoth(): Promise<void> {
    await Promise.all([gateway.kill(), server.kill()]);
    server = await startPostgres({ dataDir: join(folder, 'pg'), port: server.port });
    gateway.start();
    await gateway.untilReady();
  }

  it('keeps what was answered with 202 although gateway and database are killed right after the answer', async () => {
    for (const round of [1, 2, 3]) {
      const answer = await client.publish(Array.from({ length: 20 }, (_, index) => councilEvent(`answered-${round}-${index}`)));
      const killed = killBoth();
      expect(answer.status).toBe(202);
      answer.json['receipts']?.map((receipt) => receipts.set(String(receipt['id']), String(receipt['run_id'])));
      await killed;
    }
    expect(receipts.size).toBe(60);
  });

  it('keeps every acknowledged event of a stream that is cut in the middle', async () => {
    const before = receipts.size;
    let isCut = false;
    const publishers = Array.from({ length: 8 }, async (_, publisher) => {
      for (let index = 0; !isCut; index += 1) {
        const answer = await client.publish([councilEvent(`stream-${publisher}-${index}`)]).catch(() => null);
        if (answer?.status === 202) answer.json['receipts']?.map((receipt) => receipts.set(String(receipt['id']), String(receipt['run_id'])));
      }
    });
    await until('a stream of answers', () => receipts.size >= before + 100, 20_000, 1);
    await killBoth();
    isCut = true;
    await Promise.all(publishers);
  });

  it('has a run for every receipt, under the id that the receipt names', async () => {
    ledger.start();
    await ledger.untilReady();
    const reader = new LedgerReader(server.url);
    const planned = await until('every accepted event having its run', async () => {
      const rows = await reader.query<{ event_id: string; run_id: string; state: string }>('select event_id, run_id, state from runs join run_events using (organisation_id, run_id)');
      const runs = new Map(rows.map((row) => [row.event_id, row]));
      return [...receipts.keys()].every((id) => runs.has(id)) && runs;
    }, 30_000, 100);
    for (const [eventId, runId] of receipts) expect(planned.get(eventId)).toMatchObject({ run_id: runId, state: 'done' });
    // A repeat of what was accepted long ago gets the same receipt, and no second run.
    const [eventId = '', runId = ''] = [...receipts][0] ?? [];
    expect((await client.publish([councilEvent(eventId)])).json).toMatchObject({ receipts: [{ id: eventId, run_id: runId }] });
  });

  it('says 503 and not 202 while the database is away', async () => {
    await client.publishSurely([councilEvent('known-key')]);
    await server.kill();
    // A backend that has not noticed its server's death for a moment still makes durable what it is given: that is accepted, and kept.
    const kept = new Set<string>();
    const answer = await until('a refusal', async () => {
      const id = `not-accepted-${kept.size}`;
      const heard = await client.publish([councilEvent(id)]);
      if (heard.status !== 202) return heard;
      kept.add(id);
      return false;
    });
    expect(answer.status).toBe(503);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    server = await startPostgres({ dataDir: join(folder, 'pg'), port: server.port });
    const reader = new LedgerReader(server.url);
    await until('a run for whatever was accepted', async () => {
      const rows = await reader.query<{ event_id: string }>('select event_id from run_events');
      return [...kept].every((id) => rows.some(({ event_id }) => event_id === id));
    });
    expect((await client.publishSurely([councilEvent(`not-accepted-${kept.size}`)])).size).toBe(1);
  });
});
