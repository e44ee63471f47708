import { startGateway } from '@trunkline/app-gateway';
import { startSyncLedger } from '@trunkline/app-sync-ledger';
import { catalogueOf } from '@trunkline/connectors';
import { fixture } from '@trunkline/connectors/testing';
import { createEventLog, createKafkaDriver, createPostgresDriver, type EventLog } from '@trunkline/event-log';
import { allowEverywhere, createOutbound } from '@trunkline/outbound';
import { runService, type RunningService } from '@trunkline/service';
import { openDatabases, type Databases } from '@trunkline/storage';
import { startConnector } from '@trunkline/worker';

/**
 * One service of the platform as a process of its own: `node process.ts gateway|ledger|worker`, with the environment below.
 * The apps are the real ones; shorter here are the times after which others take over, and the worker's only provider is the connectors' fixture.
 */
const { DATABASE_URL: databaseUrl = '', KAFKA_BROKERS = '', PORT = '0', OPS_PORT = '0', START_WITHIN_MS = '300000', HAND_OVER_MS = '10000' } = process.env;
const kafkaBrokers = KAFKA_BROKERS === '' ? [] : KAFKA_BROKERS.split(',');
const config = { databaseUrl, kafkaBrokers, opsHost: '127.0.0.1', opsPort: Number(OPS_PORT), outboundAllow: [], outboundPorts: [443] };
/** A family whose topic every deployment has. */
const provider = { ...fixture, family: 'crm' } as const;
const sessionMs = { postgres: 2_000, kafka: 6_000 };

function openLog(databases: Databases): EventLog {
  if (kafkaBrokers.length > 0) return createEventLog(createKafkaDriver({ brokers: kafkaBrokers, sessionTimeoutMs: sessionMs.kafka, heartbeatIntervalMs: 500 }));
  return createEventLog(createPostgresDriver({ pool: databases.log, listenConnectionString: databaseUrl, sessionTimeoutMs: sessionMs.postgres, heartbeatMs: 300 }));
}

async function start(service: string | undefined): Promise<RunningService> {
  const databases = openDatabases(databaseUrl);
  const parts = { databases, eventLog: openLog(databases) };
  switch (service) {
    case 'gateway': {
      const gateway = await startGateway({ ...config, host: '127.0.0.1', port: Number(PORT), answerWithinMs: 8_000 }, parts);
      return { stop: () => gateway.close() };
    }
    case 'ledger':
      return startSyncLedger({ ...config, keepRunsDays: 30, keepCallsDays: 14 }, { ...parts, catalogue: catalogueOf([provider]), settings: { startWithinMs: Number(START_WITHIN_MS), sweepAfterMs: 500, leaseMs: 1_500, resendAfterMs: 1_000, gatePollMs: 300, duePollMs: 100 } });
    case 'worker':
      return startConnector({ family: provider.family, providers: [provider] }, config, { ...parts, outbound: createOutbound({ policy: allowEverywhere }), tuning: { handOverMs: Number(HAND_OVER_MS), grants: { leaseMs: 5_000, endpointMs: 4_000, restMs: 300 } } });
    default:
      throw new Error(`no service ${service}`);
  }
}

// It never outlives the test that started it.
process.stdin.once('end', () => process.exit(1)).resume();
await runService(() => start(process.argv[2]));
