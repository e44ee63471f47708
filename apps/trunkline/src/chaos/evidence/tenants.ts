import type { Client } from 'pg';
import type { ForeignEvidence } from '../checker/evidence.js';
import type { Council } from '../council.js';
import type { LedgerClient } from '../ledger-client.js';

/** Tables without row-level security hold ids only. */
const tenantFree = ['due_work', 'api_key_index'];

/** Asks as each organisation, in the database in both roles and at the gateway, for everything, and counts what is another's. */
export async function askAsTenants(ledger: LedgerClient, councils: readonly Council[], gatewayUrl: string): Promise<readonly ForeignEvidence[]> {
  const found: ForeignEvidence[] = [];
  for (const council of councils) {
    found.push(...(await ledger.withClient((client) => askTables(client, council))));
    found.push(...(await askGateway(ledger, council, gatewayUrl)));
  }
  return found;
}

async function askTables(client: Client, { name, organisationId }: Council): Promise<readonly ForeignEvidence[]> {
  const { rows: tables } = await client.query<{ name: string }>(`select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition and a.attname = 'organisation_id' and c.relname <> all ($1) order by 1`, [tenantFree]);
  const found: ForeignEvidence[] = [];
  for (const [role, setting] of [['app_tenant', 'app.org_id'], ['app_system', 'app.org_ids']] as const) {
    for (const { name: table } of tables) {
      await client.query('begin');
      await client.query(`set local role ${role}`);
      await client.query('select set_config($1, $2, true)', [setting, organisationId]);
      // What the role may not read at all shows nothing.
      const answer = await client.query<{ own: number; foreign: number; example: string | null }>(`select count(*) filter (where organisation_id = $1)::int as own, count(*) filter (where organisation_id <> $1)::int as foreign, min(organisation_id::text) filter (where organisation_id <> $1) as example from ${table}`, [organisationId]).catch(unlessDenied);
      await client.query('rollback');
      const [row] = answer?.rows ?? [];
      if (row !== undefined) found.push({ asked: `${table}, read as ${role} of ${name},`, organisationId, own: row.own, foreign: row.foreign, example: row.example });
    }
  }
  return found;
}

async function askGateway(ledger: LedgerClient, { name, organisationId, apiKey }: Council, gatewayUrl: string): Promise<readonly ForeignEvidence[]> {
  const read = async (path: string): Promise<{ status: number; text: string }> => {
    const answer = await fetch(`${gatewayUrl}${path}`, { headers: { authorization: `Bearer ${apiKey}` }, signal: AbortSignal.timeout(30_000) });
    return { status: answer.status, text: await answer.text() };
  };
  const list = await read('/api/runs?limit=200');
  const ids = [...new Set(list.text.match(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g) ?? [])];
  const [owned] = await ledger.query<{ own: number; foreign: number; example: string | null }>('select count(*) filter (where organisation_id = $1)::int as own, count(*) filter (where organisation_id <> $1)::int as foreign, min(run_id::text) filter (where organisation_id <> $1) as example from runs where run_id = any ($2::uuid[])', [organisationId, ids]);
  const others = await ledger.query<{ run_id: string }>('select run_id from runs where organisation_id <> $1 limit 5', [organisationId]);
  const shown = await Promise.all(others.map(async ({ run_id: runId }) => ({ runId, ...(await read(`/api/runs/${runId}`)) })));
  const leaked = shown.filter(({ status }) => status !== 404);
  return [
    { asked: `GET /api/runs of ${name}`, organisationId, own: owned?.own ?? 0, foreign: owned?.foreign ?? 0, example: owned?.example ?? null },
    { asked: `GET /api/runs/{run of another} of ${name}`, organisationId, own: owned?.own ?? 0, foreign: leaked.length, example: leaked[0] === undefined ? null : `${leaked[0].runId} (status ${leaked[0].status})` },
  ];
}

/** PostgreSQL's insufficient_privilege; any other error would leave the question open, and must not count as an answer. */
function unlessDenied(error: unknown): null {
  if (error instanceof Error && 'code' in error && error.code === '42501') return null;
  throw error;
}
