import { createHash, randomBytes } from 'node:crypto';
import { Client } from 'pg';
import type { Databases, DatabasesOptions } from '../databases.js';
import { openDatabases } from '../databases.js';
import type { Migration } from '../migration.js';
import { migrate } from '../migrate.js';
import { migrations } from '../migrations/index.js';
import { openTestServer } from './test-server.js';

export interface TestDatabase {
  /** Of the superuser; row-level security does not bind it. */
  readonly url: string;
  readonly databases: Databases;
  /** A new connection of the superuser, who sees every table whole; it ends with the database, if not before. */
  owner(): Promise<Client>;
  close(): Promise<void>;
}

/** Template databases belong to the server: test processes build them one at a time. */
const templateLock = 7_219_884_102;

/** A fresh, migrated database of its own. Migrations run once per server and shape, every further database is a copy of that one. */
export async function openTestDatabase(options: DatabasesOptions = {}): Promise<TestDatabase> {
  const server = await openTestServer();
  const name = `test_${process.pid}_${randomBytes(6).toString('hex')}`;
  await onServer(server.url, async (client) => {
    await client.query('select pg_advisory_lock($1)', [templateLock]);
    const template = await ensureTemplate(client, server.url);
    await client.query(`create database ${name} template ${template}`);
  });
  const url = databaseAt(server.url, name);
  // A machine that is busy with other suites takes its time over a connection; that is no database that is away.
  const databases = openDatabases(url, { connectTimeoutMs: 30_000, ...options });
  const owners: Client[] = [];
  return {
    url,
    databases,
    owner: async () => {
      const owner = new Client({ connectionString: url });
      owners.push(owner);
      await owner.connect();
      return owner;
    },
    close: async () => {
      await Promise.allSettled(owners.map((owner) => owner.end()));
      await databases.close();
      await onServer(server.url, (client) => client.query(`drop database if exists ${name} with (force)`));
      await server.close();
    },
  };
}

/** Built under another name and renamed when complete, so that a test process killed meanwhile leaves no half-made template. */
async function ensureTemplate(client: Client, serverUrl: string): Promise<string> {
  const template = `template_${shapeOf(migrations)}`;
  const { rowCount } = await client.query('select from pg_database where datname = $1', [template]);
  if (rowCount) return template;
  const building = `${template}_building`;
  await client.query(`drop database if exists ${building} with (force)`);
  await client.query(`create database ${building}`);
  await migrate(databaseAt(serverUrl, building));
  await client.query(`alter database ${building} rename to ${template}`);
  return template;
}

function shapeOf(list: readonly Migration[]): string {
  return createHash('sha256').update(JSON.stringify(list)).digest('hex').slice(0, 16);
}

function databaseAt(serverUrl: string, name: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.toString();
}

/** The advisory lock ends with the connection. */
async function onServer(url: string, work: (client: Client) => Promise<unknown>): Promise<void> {
  const client = new Client({ connectionString: databaseAt(url, 'postgres') });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
