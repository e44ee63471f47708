import type { Client } from 'pg';
import type { ForeignEvidence } from '../checker/evidence.js';
import type { Council } from '../council.js';
import type { LedgerClient } from '../ledger-client.js';

/** Tables without row-level security hold ids only. */
const tenantFree = ['due_work', 'api_key_index'];

interface Counts {
  readonly own: number;
  readonly foreign: number;
  readonly example: string | null;
}

/** Asks as each organisation, in the database in both roles and at the gateway, for everything, and counts what is another's. */
export async function askAsTenants(ledger: LedgerClient, councils: readonly Council[], gatewayUrl: string): Promise<readonly ForeignEvidence[]> {
  const found: ForeignEvidence[] = [];
  for (const council of councils) {
    found.push(...(await ledger.withClient((client) => askTables(client, council))));
    found.push(...(await askGateway(ledger, council, gatewayUrl)));
  }
  return found;
}

/** An organisation's own row carries its id under another name. */
async function tenantTables(client: Client): Promise<readonly { readonly name: string; readonly column: string }[]> {
  const { rows } = await client.query<{ name: string; column: string }>(
    `select c.relname as name, a.attname as column from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
      where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition and a.attname = case c.relname when 'organisations' then 'id' else 'organisation_id' end and c.relname <> all ($1) order by 1`,
    [tenantFree],
  );
  return rows;
}

async function askTables(client: Client, { name, organisationId }: Council): Promise<readonly ForeignEvidence[]> {
  const found: ForeignEvidence[] = [];
  for (const { name: table, column } of await tenantTables(client)) {
    const count = `select count(*) filter (where ${column} = $1)::int as own, count(*) filter (where ${column} <> $1)::int as foreign, min(${column}::text) filter (where ${column} <> $1) as example from ${table}`;
    for (const [role, setting] of [['app_tenant', 'app.org_id'], ['app_system', 'app.org_ids']] as const) {
      // Both see the same moment: what is there, and what of it is shown.
      await client.query('begin isolation level repeatable read');
      const { rows: [there] } = await client.query<Counts>(count, [organisationId]);
      await client.query(`set local role ${role}`);
      await client.query('select set_config($1, $2, true)', [setting, organisationId]);
      // What the role may not read at all shows nothing.
      const answer = await client.query<Counts>(count, [organisationId]).catch(unlessDenied);
      await client.query('rollback');
      const [row] = answer?.rows ?? [];
      if (row !== undefined && there !== undefined) found.push({ asked: `${table}, read as ${role} of ${name},`, table, organisationId, ...row, ownThere: there.own, foreignThere: there.foreign });
    }
  }
  return found;
}

async function askGateway(ledger: LedgerClient, { name, organisationId, apiKey }: Council, gatewayUrl: string): Promise<readonly ForeignEvidence[]> {
  const read = async (path: string): Promise<{ status: number; text: string }> => {
    const answer = await fetch(`${gatewayUrl}${path}`, { headers: { authorization: `Bearer ${apiKey}` }, signal: AbortSignal.timeout(30_000) });
    return { status: answer.status, text: await answer.text() };
  };
  const counting = (where: string): string => `select count(*) filter (where organisation_id = $1)::int as own, count(*) filter (where organisation_id <> $1)::int as foreign, min(run_id::text) filter (where organisation_id <> $1) as example from runs where ${where}`;
  const list = await read('/api/runs?limit=200');
  const ids = [...new Set(list.text.match(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g) ?? [])];
  const [[shown], [there]] = await Promise.all([ledger.query<Counts>(counting('run_id = any ($2::uuid[])'), [organisationId, ids]), ledger.query<Counts>(counting('true'), [organisationId])]);
  const others = await ledger.query<{ run_id: string }>('select run_id from runs where organisation_id <> $1 limit 5', [organisationId]);
  const asked = await Promise.all(others.map(async ({ run_id: runId }) => ({ runId, ...(await read(`/api/runs/${runId}`)) })));
  const leaked = asked.filter(({ status }) => status !== 404);
  const ownShown = shown?.own ?? 0;
  const base = { table: null, organisationId, own: ownShown, ownThere: there?.own ?? 0 } as const;
  return [
    { ...base, asked: `GET /api/runs of ${name}`, foreign: shown?.foreign ?? 0, foreignThere: there?.foreign ?? 0, example: shown?.example ?? null },
    { ...base, asked: `GET /api/runs/{run of another} of ${name}`, foreign: leaked.length, foreignThere: others.length, example: leaked[0] === undefined ? null : `${leaked[0].runId} (status ${leaked[0].status})` },
  ];
}

/** PostgreSQL's insufficient_privilege; any other error would leave the question open, and must not count as an answer. */
function unlessDenied(error: unknown): null {
  if (error instanceof Error && 'code' in error && error.code === '42501') return null;
  throw error;
}
