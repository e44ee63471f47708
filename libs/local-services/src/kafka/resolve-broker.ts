/**
 * Which Kafka the tests talk to: the one named, one in Docker, or a local one from Maven artifacts; never an imitation.
 * Where none is possible the suites are skipped with a reason, but not in CI and not when REQUIRE_KAFKA=1: there it is an error.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NoBroker } from './errors.js';
import { kafkaRequirements, outputOf } from './requirements.js';
import { startKafka } from './start-kafka.js';

export type BrokerSource = 'env' | 'docker' | 'local';

export interface ResolvedBroker {
  readonly source: BrokerSource;
  readonly brokers: readonly string[];
  /** Stops what resolving started; a broker that was named is left alone. */
  stop(): Promise<void>;
}

export interface NoBrokerFound {
  readonly source: 'none';
  /** For the skip line and the error: what was looked at and what was found. */
  readonly reason: string;
}

export async function resolveBroker(onProgress: (message: string) => void = () => undefined): Promise<ResolvedBroker | NoBrokerFound> {
  const forced = process.env['KAFKA_TEST_SOURCE'];
  if (forced === 'env' || forced === 'docker' || forced === 'local') return forcedBroker(forced, onProgress);
  const found = forced === 'none' ? noBroker('KAFKA_TEST_SOURCE=none') : await firstPossible(onProgress);
  if (found.source === 'none' && mustNotSkip()) throw NoBroker.because(found.reason);
  return found;
}

async function firstPossible(onProgress: (message: string) => void): Promise<ResolvedBroker | NoBrokerFound> {
  const named = namedBroker();
  if (named) return named;
  if (await isDockerAnswering()) return dockerBroker();
  const { java, isMavenFound, isCacheReady } = await kafkaRequirements();
  if (java !== null && java >= 17 && (isCacheReady || isMavenFound)) return localBroker(onProgress);
  return noBroker(`no KAFKA_BROKERS, no Docker daemon, java: ${java ?? 'none'}, mvn: ${isMavenFound ? 'found' : 'none'}`);
}

async function forcedBroker(source: BrokerSource, onProgress: (message: string) => void): Promise<ResolvedBroker> {
  if (source === 'docker') return dockerBroker();
  if (source === 'local') return localBroker(onProgress);
  const named = namedBroker();
  if (!named) throw NoBroker.because('KAFKA_TEST_SOURCE=env, but KAFKA_BROKERS is not set');
  return named;
}

export function mustNotSkip(): boolean {
  const ci = process.env['CI'];
  return (ci !== undefined && ci !== '' && ci !== 'false') || process.env['REQUIRE_KAFKA'] === '1';
}

function noBroker(reason: string): NoBrokerFound {
  return { source: 'none', reason };
}

function namedBroker(): ResolvedBroker | null {
  const brokers = (process.env['KAFKA_BROKERS'] ?? '').split(',').map((broker) => broker.trim()).filter((broker) => broker !== '');
  return brokers.length === 0 ? null : { source: 'env', brokers, stop: () => Promise.resolve() };
}

async function localBroker(onProgress: (message: string) => void): Promise<ResolvedBroker> {
  const dataDir = mkdtempSync(join(tmpdir(), 'trunkline-kafka-'));
  const kafka = await startKafka({ dataDir, onProgress });
  return {
    source: 'local',
    brokers: kafka.brokers,
    stop: async () => {
      await kafka.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** The command may be installed without a daemon, and may hang asking one. */
async function isDockerAnswering(): Promise<boolean> {
  return (await outputOf('docker', ['version', '--format', '{{.Server.Version}}'], 3_000)) !== null;
}

/** A development dependency, loaded only where a daemon answers. Tags from 8.0.0 on run without ZooKeeper by themselves. */
async function dockerBroker(): Promise<ResolvedBroker> {
  const { KafkaContainer } = await import('@testcontainers/kafka');
  const container = await new KafkaContainer('confluentinc/cp-kafka:8.0.0').withEnvironment({ KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0' }).start();
  return {
    source: 'docker',
    brokers: [`${container.getHost()}:${container.getMappedPort(9093)}`],
    stop: async () => {
      await container.stop();
    },
  };
}
