import { type EventLog, type KafkaClientName, createEventLog, createKafkaDriver, createPostgresDriver } from '@trunkline/event-log';
import { connectionAs, type Databases } from '@trunkline/storage';
import type { Logger } from '@trunkline/telemetry';
import { type Setting, address, choice, integer, list, optional, readConfig } from './config.js';
import { ConfigInvalid } from './errors.js';

const kafkaClient = choice('KAFKA_CLIENT', 'the library that talks to the Kafka brokers; not set: kafkajs', ['kafkajs', 'platformatic']);

const kafkaSession = optional(integer('KAFKA_SESSION_TIMEOUT_MS', 'how long the brokers wait for a silent consumer before others get its partitions', { min: 6_000, max: 300_000 }), 30_000);

const kafkaInstance: Setting<string> = {
  variable: 'KAFKA_INSTANCE_ID',
  purpose: 'this process among those of its kind, the same after each restart: one that was killed goes on at once; needs KAFKA_CLIENT=platformatic',
  parse: (given) => {
    if (!/^[\w.-]{1,200}$/.test(given)) throw new Error('must be up to 200 letters, digits, points, underscores and hyphens');
    return given;
  },
};

/** The variables by which every app finds database and event log. */
export const eventLogSchema = {
  databaseUrl: address('DATABASE_URL', 'PostgreSQL', ['postgres', 'postgresql']),
  kafkaBrokers: optional(list('KAFKA_BROKERS', 'Kafka brokers; not set: the event log lives in PostgreSQL', /^[^\s:]+:\d+$/), [] as readonly string[]),
  kafkaClient: optional(kafkaClient, undefined),
};

export interface EventLogAddress {
  readonly databaseUrl: string;
  readonly kafkaBrokers: readonly string[];
  /** Left out by processes with no configuration of their own (all apps in one, benchmarks): then the variable counts. */
  readonly kafkaClient?: KafkaClientName;
}

export interface EventLogParts {
  readonly databases: Pick<Databases, 'log'>;
  /** Told what the log tries again by itself: rejected batches and records, failed commits, consumers started anew. */
  readonly logger: Pick<Logger, 'warn'>;
  /** When an append on Kafka gives up; PostgreSQL's own time-outs bound the other. */
  readonly appendTimeoutMs?: number;
}

/** The event log this configuration names. */
export function openEventLog(app: string, config: EventLogAddress, { databases, logger, appendTimeoutMs }: EventLogParts): EventLog {
  const driver =
    config.kafkaBrokers.length > 0
      ? createKafkaDriver({ ...kafkaSettings(config.kafkaClient), brokers: config.kafkaBrokers, clientId: `trunkline-${app}`, ...(appendTimeoutMs === undefined ? {} : { appendTimeoutMs }) })
      : createPostgresDriver({ pool: databases.log, listenConnectionString: listenAddress(config.databaseUrl) });
  return createEventLog(driver, {
    report: (error, { group, records }) => {
      const [first] = records;
      logger.warn({ err: error, group, records: records.length, ...(first && { topic: first.topic, partition: first.partition, offset: first.offset.toString() }) }, 'The event log will try again');
    },
  });
}

function kafkaSettings(chosen: KafkaClientName | undefined) {
  const { client, sessionTimeoutMs, instanceId } = readConfig({ client: optional(kafkaClient, 'kafkajs' as const), sessionTimeoutMs: kafkaSession, instanceId: optional(kafkaInstance, null) });
  const settings = { client: chosen ?? client, sessionTimeoutMs, instanceId };
  if (instanceId !== null && settings.client !== 'platformatic') throw ConfigInvalid.because('KAFKA_INSTANCE_ID needs KAFKA_CLIENT=platformatic: kafkajs has no static members', { variables: ['KAFKA_INSTANCE_ID'] });
  return settings;
}

/** The connection for hints, in the same role as the log's pool: the login itself may do more than the log needs. */
export function listenAddress(databaseUrl: string): string {
  const { connectionString = databaseUrl, options = '' } = connectionAs('app_log', databaseUrl);
  const address = new URL(connectionString);
  address.searchParams.set('options', options);
  return address.toString();
}
