import { Pool } from 'pg';
import type { PoolConfig } from 'pg';

/** Everything the application does, it does as one of these; migrations alone run as the login itself. */
export type Role = 'app_tenant' | 'app_system' | 'app_log' | 'app_access' | 'app_custody' | 'app_keeper';

export interface Databases {
  /** `app_tenant`: sees the one organisation named by `app.org_id`. */
  readonly tenant: Pool;
  /** `app_system`: sees the organisations named by `app.org_ids`. */
  readonly system: Pool;
  /** `app_log`: the event log's tables and nothing else. */
  readonly log: Pool;
  /** `app_access`: who people are, their sessions, how much of a rate limit is given out, and which organisations have left. */
  readonly access: Pool;
  /** `app_keeper`: which grants, of all organisations, are due to be used, and nothing of what was granted. */
  readonly keeper: Pool;
  close(): Promise<void>;
}

export interface DatabasesOptions {
  readonly poolSizes?: { readonly tenant?: number; readonly system?: number; readonly log?: number; readonly access?: number };
  readonly connectTimeoutMs?: number;
}

/** One role's connections. Opens nothing yet: the first query connects, so a database that is away is met there and not here. */
export function openPool(role: Role, databaseUrl: string, { max, connectTimeoutMs = 5_000 }: { readonly max: number; readonly connectTimeoutMs?: number | undefined }): Pool {
  // Pipelined: statements that need no answer of the one before share its round trip. Only where `inOrganisations` is the one user of a connection.
  const pool = new Pool({ ...connectionAs(role, databaseUrl), max, connectionTimeoutMillis: connectTimeoutMs, ...(role === 'app_system' ? { pipeline: true } : {}) });
  // An idle connection broke: the pool has dropped it, and opens another when one is needed.
  pool.on('error', () => undefined);
  // The pool stops listening as it hands a connection out, and who asked for it listens only a moment later; a server that is killed between the two would end the process. The next statement fails.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

export function openDatabases(databaseUrl: string, { poolSizes = {}, connectTimeoutMs }: DatabasesOptions = {}): Databases {
  const open = (role: Role, max: number): Pool => openPool(role, databaseUrl, { max, connectTimeoutMs });
  const pools = { tenant: open('app_tenant', poolSizes.tenant ?? 10), system: open('app_system', poolSizes.system ?? 10), log: open('app_log', poolSizes.log ?? 10), access: open('app_access', poolSizes.access ?? 5), keeper: open('app_keeper', 1) };
  return {
    ...pools,
    close: async () => {
      await Promise.all(Object.values(pools).map((pool) => pool.end()));
    },
  };
}

/** What takes longer hangs; work that may, such as dropping old hours, sets its own limit. Migrations run as the login and have none. */
const statementTimeoutMs: Readonly<Record<Role, number>> = { app_tenant: 15_000, app_system: 30_000, app_log: 30_000, app_access: 10_000, app_custody: 10_000, app_keeper: 10_000 };
/** The server ends a slow statement itself; a client that has heard nothing this much later talks to a server that is gone without a word. */
const unheardOfMs = 10_000;

/** The role is part of the connection's start-up packet: there is no moment in which the session is its login, and no SET ROLE on a pooled connection. */
export function connectionAs(role: Role, databaseUrl: string): PoolConfig {
  const url = new URL(databaseUrl);
  const given = url.searchParams.get('options');
  // node-postgres lets the URL's `options` win over the configured ones.
  url.searchParams.delete('options');
  const settings = [`role=${role}`, 'idle_in_transaction_session_timeout=15000', 'lock_timeout=5000', `statement_timeout=${statementTimeoutMs[role]}`];
  const options = [given, ...settings.map((setting) => `-c ${setting}`)].filter((part) => part !== null).join(' ');
  return { connectionString: url.toString(), options, application_name: `trunkline ${role}`, keepAlive: true, query_timeout: statementTimeoutMs[role] + unheardOfMs };
}
