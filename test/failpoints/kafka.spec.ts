import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeWithLocalKafka, startKafka, type LocalKafka } from '@trunkline/local-services';
import { gatewayRows, ledgerRows, workerRows, type Row } from './matrix.js';
import { patienceMs } from './patience.js';
import { runMatrix } from './run-matrix.js';

/** Where the log's own ways matter: what the broker has confirmed, and offsets that a dead member of a group leaves behind. */
const points = ['gateway.afterProduce', 'ledger.afterSend', 'log.beforePositions', 'log.afterPositions'];
const rows: readonly Row[] = [...gatewayRows, ...ledgerRows, ...workerRows.filter(({ environment }) => environment === undefined)].filter(({ deaths: [first, ...more] }) => more.length === 0 && points.some((point) => point === first?.point));

describeWithLocalKafka('on Kafka, killed exactly at', () => {
  // The broker is nobody else's: the groups of these processes have the same names everywhere.
  const folder = mkdtempSync(join(tmpdir(), 'trunkline-failpoints-'));
  let broker: LocalKafka | undefined;

  beforeAll(async () => {
    chmodSync(folder, 0o755);
    broker = await startKafka({ dataDir: join(folder, 'kafka') });
  }, 3 * patienceMs);
  afterAll(async () => {
    await broker?.stop();
    rmSync(folder, { recursive: true, force: true });
  }, patienceMs);

  describe('its point', () => {
    runMatrix(rows, () => ({ kafkaBrokers: broker?.brokers.join(',') ?? '' }));
  });
});
