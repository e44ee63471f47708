import { existsSync, readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Databases } from '@trunkline/storage';
import { projectFolder } from '../client/target.js';
import type { BenchResult } from './result.js';

/** What decides how durable a commit is; printed, because a figure without it says nothing. */
const durabilitySettings = ['fsync', 'synchronous_commit', 'full_page_writes', 'wal_sync_method', 'shared_buffers'];

export function hardware(): BenchResult['hardware'] {
  return { processor: cpus()[0]?.model ?? 'unknown', cores: cpus().length, memoryMiB: Math.round(totalmem() / 2 ** 20), system: `${process.platform} ${release()}`, loadAverageBefore: Math.round((loadavg()[0] ?? 0) * 100) / 100 };
}

export function ownVersions(): Record<string, string> {
  return { trunkline: commit(), node: process.version, v8: process.versions.v8 };
}

/** Every app appends to Kafka with these words; when the broker's disk has them is the broker's own affair. */
export function brokerSays(folder: string, brokers: readonly string[] | null): Readonly<Record<string, string>> {
  if (brokers === null) return {};
  const settings = join(folder, 'kafka', 'server.properties');
  if (!existsSync(settings)) return { kafka_acks: 'all', kafka_flush: 'as its operator has set it' };
  const given = new Map(readFileSync(settings, 'utf8').split('\n').map((line): [string, string] => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
  const flush = ['log.flush.interval.messages', 'log.flush.interval.ms'].flatMap((name) => (given.has(name) ? [`${name}=${given.get(name)}`] : []));
  return {
    kafka_acks: 'all', kafka_flush: flush.length === 0 ? 'left to the operating system (log.flush.interval.* not set)' : flush.join(' '),
    kafka_replicas: given.get('default.replication.factor') ?? 'unknown', kafka_min_insync: given.get('min.insync.replicas') ?? 'unknown',
  };
}

/** Which client talks to the broker, and which broker it is where it is a local one. */
export function brokerVersions(folder: string, brokers: readonly string[] | null): Readonly<Record<string, string>> {
  if (brokers === null) return {};
  const log = join(folder, 'kafka', 'kafka.log');
  const version = existsSync(log) ? /Kafka version: (\S+)/.exec(readFileSync(log, 'utf8'))?.[1] : undefined;
  return { kafka: version ?? 'as its operator runs it', kafka_client: process.env['KAFKA_CLIENT'] ?? 'kafkajs' };
}

export async function databaseSays(databases: Pick<Databases, 'system'>): Promise<{ version: string; durability: BenchResult['durability'] }> {
  const { rows } = await databases.system.query<{ name: string; setting: string; unit: string | null }>('select name, setting, unit from pg_settings where name = any ($1)', [[...durabilitySettings, 'server_version']]);
  const { rows: tables } = await databases.system.query<{ forced: boolean }>("select bool_and(relrowsecurity and relforcerowsecurity) as forced from pg_class where oid in ('runs'::regclass, 'attempts'::regclass, 'run_events'::regclass)");
  const found = new Map(rows.map(({ name, setting, unit }) => [name, unit === null ? setting : `${setting} × ${unit}`]));
  const durability = Object.fromEntries(durabilitySettings.map((name) => [name, found.get(name) ?? 'unknown']));
  return { version: found.get('server_version') ?? 'unknown', durability: { ...durability, row_level_security: tables[0]?.forced === true ? 'forced' : 'not forced' } };
}

/** The commit of the checkout, or that there is none. */
function commit(): string {
  try {
    const git = join(projectFolder(), '.git');
    const head = readFileSync(join(git, 'HEAD'), 'utf8').trim();
    return head.startsWith('ref: ') ? readFileSync(join(git, head.slice(5)), 'utf8').trim() : head;
  } catch {
    return 'not a checkout';
  }
}
