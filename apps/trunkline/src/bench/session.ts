import { openDatabases, type Databases } from '@trunkline/storage';
import { Api } from '../client/api.js';
import { say } from '../client/output.js';
import type { Closing } from '../dev/closing.js';
import { publishBy, type Publish } from './load.js';
import { Rows } from './rows.js';
import type { BenchOptions } from './scenario.js';
import { startBenchedPlatform, type BenchedPlatform } from './start-platform.js';
import type { BenchTenant } from './tenants.js';

/** What every scenario begins with. */
export interface BenchContext {
  readonly options: BenchOptions;
  readonly folder: string;
  readonly closing: Closing;
  /** Called once, as soon as there is a database to ask. */
  describe(databases: Databases, brokers: readonly string[] | null): Promise<void>;
}

/** A platform made for this run, and a way to publish at it. */
export interface BenchSession extends BenchContext {
  readonly platform: BenchedPlatform;
  readonly databases: Databases;
  readonly api: Api;
  readonly rows: Rows;
  readonly demo: BenchTenant;
  readonly publish: Publish;
}

/** Requests under way at once; an open-loop load beyond it waits in the generator, and its latency says so. */
const connections = 256;

export async function openSession(context: BenchContext): Promise<BenchSession> {
  const { options, folder, closing } = context;
  say(`Starting the platform for ${options.scenario} (${options.driver}) …`);
  const platform = await startBenchedPlatform({ folder, options }, options.profile, closing);
  const databases = openDatabases(platform.dev.databaseUrl);
  closing.add('database connections', () => databases.close());
  await context.describe(databases, platform.brokers);
  const api = new Api({ url: platform.dev.gateway, apiKey: platform.dev.apiKey, organisationId: platform.dev.organisationId }, connections);
  closing.add('gateway connections', () => api.close());
  const demo = { organisationId: platform.dev.organisationId, apiKey: platform.dev.apiKey };
  return { ...context, platform, databases, api, rows: await Rows.read(), demo, publish: publishBy(api, () => demo.apiKey) };
}
