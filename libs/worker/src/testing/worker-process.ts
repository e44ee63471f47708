import { fixture } from '@trunkline/connectors/testing';
import { createEventLog, createPostgresDriver } from '@trunkline/event-log';
import { allowEverywhere, createOutbound } from '@trunkline/outbound';
import { openDatabases, openVault } from '@trunkline/storage';
import { createWorker } from '../worker.js';

/** A worker of the fixture family as a process of its own, to be killed or frozen. Ready once it has written a line. */
async function main(): Promise<void> {
  const { DATABASE_URL = '', WORKER_ID = '', MASTER_KEY = '' } = process.env;
  const databases = openDatabases(DATABASE_URL);
  const eventLog = createEventLog(createPostgresDriver({ pool: databases.log, listenConnectionString: DATABASE_URL, sessionTimeoutMs: 6_000, heartbeatMs: 500 }));
  const worker = createWorker({
    family: 'fixture', providers: [fixture], databases, eventLog, workerId: WORKER_ID, outbound: createOutbound({ policy: allowEverywhere }),
    vault: openVault(databases, { keys: [{ id: 'test', key: Buffer.from(MASTER_KEY, 'base64') }], current: 'test' }),
    // What is killed here must come back by redelivery, not by its hand-over.
    tuning: { handOverMs: 60_000 },
  });
  await worker.start();
  const consumption = await eventLog.consume({ mode: 'per-key', group: worker.group, topics: worker.topics, maxInFlight: worker.maxInFlight, orderingKey: (record) => worker.orderingKey(record), handleRecord: (record) => worker.handleRecord(record) });
  worker.attach(consumption);
  process.stdout.write('ready\n');
}

void main();
