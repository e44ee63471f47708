import { failpoint } from '@trunkline/failpoints';
import { inOrganisations, type Databases } from '@trunkline/storage';
import type { LedgerClock } from '../clock.js';
import type { Gate } from '../gate/gate.js';
import type { Gates } from '../gate/gates.js';

/** Integrations with ready steps behind their gate, found by hopping from one to the next in the index, however many steps wait behind each. */
export const behindGatesStatement = `
with recursive hop as (
  (select organisation_id, integration_id from due_work where kind = 'gate' and integration_id is not null order by organisation_id, integration_id limit 1)
  union all
  select n.organisation_id, n.integration_id from hop h cross join lateral (
    select organisation_id, integration_id from due_work where kind = 'gate' and integration_id is not null and (organisation_id, integration_id) > (h.organisation_id, h.integration_id) order by organisation_id, integration_id limit 1
  ) n
) select organisation_id, integration_id from hop`;

/** How long a gate that nobody uses is still asked about. */
const unusedMs = 60_000;

/** The once-a-second look at gates that have changed and at what waits behind the open ones. */
export async function readGates(databases: Pick<Databases, 'system'>, gates: Gates, clock: LedgerClock): Promise<void> {
  const nowMs = clock.nowMs();
  const overflows = new Map(gates.all().map((gate) => [gate, gate.overflows]));
  const { rows } = await databases.system.query<{ organisation_id: string; integration_id: string }>(behindGatesStatement);
  const waiting = new Set(rows.map((row) => gates.of({ organisationId: row.organisation_id, integrationId: row.integration_id })));
  for (const gate of gates.all()) {
    if (!waiting.has(gate)) {
      if (gate.overflows === overflows.get(gate)) gate.outside = 0;
    } else if (gate.backlog.length > 0 && gate.closedBecause(nowMs) === null) gate.isUnsure = true;
    else gate.outside ||= Infinity;
  }
  for (const gate of waiting) gate.usedAtMs = nowMs;
  gates.prune(nowMs - unusedMs);
  const asked = gates.all();
  if (asked.length > 0) await inOrganisations(databases, asked.map((gate) => gate.organisationId), (client) => gates.read(client, asked, nowMs));
}

export const leaseBacklogStatement = `update due_work d set leased_until = clock_timestamp() + make_interval(secs => $2::float8 / 1000)
      from json_to_recordset($1::json) g(organisation_id uuid, integration_id uuid, wanted integer)
      cross join lateral (
        select w.organisation_id, w.run_id, w.step_id from due_work w
        where w.kind = 'gate' and w.organisation_id = g.organisation_id and w.integration_id = g.integration_id and coalesce(w.leased_until, '-infinity') < clock_timestamp()
        order by w.due_at limit g.wanted for update skip locked
      ) w
      where d.organisation_id = w.organisation_id and d.run_id = w.run_id and d.step_id = w.step_id
      returning d.organisation_id, d.run_id, d.step_id, d.integration_id`;

/** Leases the longest waiting steps of gates with room into memory; the lease keeps other instances off them meanwhile. */
export async function leaseBacklog(databases: Pick<Databases, 'system'>, wanting: readonly Gate[], clock: LedgerClock, leaseMs: number): Promise<void> {
  const nowMs = clock.nowMs();
  if (wanting.length === 0) return;
  const asked = wanting.map((gate) => ({ gate, wanted: Math.max(1, gate.room(nowMs) + gate.ahead(nowMs) - gate.backlog.length), overflows: gate.overflows }));
  const { rows } = await databases.system.query<{ organisation_id: string; run_id: string; step_id: string; integration_id: string }>({
    name: 'lease-backlog',
    text: leaseBacklogStatement,
    values: [JSON.stringify(asked.map(({ gate, wanted }) => ({ organisation_id: gate.organisationId, integration_id: gate.integrationId, wanted }))), leaseMs],
  });
  if (rows.length > 0) failpoint('ledger.afterBacklogLease');
  const leased = Map.groupBy(rows, (row) => `${row.organisation_id}/${row.integration_id}`);
  for (const { gate, wanted, overflows } of asked) {
    const found = leased.get(`${gate.organisationId}/${gate.integrationId}`) ?? [];
    gate.leased(found.map((row) => ({ organisationId: row.organisation_id, runId: row.run_id, stepId: row.step_id, leasedUntilMs: nowMs + leaseMs })), wanted, overflows);
  }
}
