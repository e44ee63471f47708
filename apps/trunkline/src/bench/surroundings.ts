import { cpus, loadavg, release, totalmem } from 'node:os';
import type { Databases } from '@trunkline/storage';
import type { BenchResult } from './result.js';

/** What decides how durable a commit is; printed, because a figure without it says nothing. */
const durabilitySettings = ['fsync', 'synchronous_commit', 'full_page_writes', 'wal_sync_method', 'shared_buffers'];

export function hardware(): BenchResult['hardware'] {
  return { processor: cpus()[0]?.model ?? 'unknown', cores: cpus().length, memoryMiB: Math.round(totalmem() / 2 ** 20), system: `${process.platform} ${release()}`, loadAverageBefore: Math.round((loadavg()[0] ?? 0) * 100) / 100 };
}

export async function databaseSays(databases: Pick<Databases, 'system'>): Promise<{ version: string; durability: BenchResult['durability'] }> {
  const { rows } = await databases.system.query<{ name: string; setting: string; unit: string | null }>('select name, setting, unit from pg_settings where name = any ($1)', [[...durabilitySettings, 'server_version']]);
  const { rows: tables } = await databases.system.query<{ forced: boolean }>("select bool_and(relrowsecurity and relforcerowsecurity) as forced from pg_class where oid in ('runs'::regclass, 'attempts'::regclass, 'run_events'::regclass)");
  const found = new Map(rows.map(({ name, setting, unit }) => [name, unit === null ? setting : `${setting} × ${unit}`]));
  const durability = Object.fromEntries(durabilitySettings.map((name) => [name, found.get(name) ?? 'unknown']));
  return { version: found.get('server_version') ?? 'unknown', durability: { ...durability, row_level_security: tables[0]?.forced === true ? 'forced' : 'not forced' } };
}
