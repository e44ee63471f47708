import type { StepProgress } from '@trunkline/chain';
import type { EventLog } from '@trunkline/event-log';
import { failpoint } from '@trunkline/failpoints';
import { inOrganisations, type Databases } from '@trunkline/storage';
import type { LedgerClock } from '../clock.js';
import { dispatchName as nameOf } from '../flush/command.js';
import type { SweepItem } from '../flush/item.js';
import type { OutboxItem } from '../flush/write.js';
import type { RunKey } from '../flush/load.js';
import { itemsOf } from '../outbox.js';
import { decodeRun, keyOf } from '../run-row.js';

interface Dispatch {
  readonly id: string;
  readonly commands: readonly OutboxItem[];
}

export interface Overdue {
  readonly dispatches: readonly Dispatch[];
  readonly items: readonly SweepItem[];
}

/** Each has up to a flush of commands; a full hundred is followed by the next at once. */
export const dispatchesAtOnce = 100;
/** Steps looked up in one query. */
const keysAtOnce = 5_000;
const none: Overdue = { dispatches: [], items: [] };

/** Dispatches whose time is over and whose steps are still `sent`, once `results` has been read past that time: an answer may lie unread until then (delivery §8). */
export async function findOverdue(databases: Pick<Databases, 'system'>, eventLog: Pick<EventLog, 'lag'>, group: string, clock: LedgerClock, leaseMs: number): Promise<Overdue> {
  const { rows: due } = await databases.system.query<{ newest: number | null }>(`select (extract(epoch from max(sweep_at)) * 1000)::float8 as newest from (select sweep_at from dispatches where sweep_at <= statement_timestamp() and coalesce(leased_until, '-infinity') < clock_timestamp() order by sweep_at limit ${dispatchesAtOnce}) d`);
  const newest = due[0]?.newest ?? null;
  if (newest === null || !(await isReadPast(eventLog, group, clock, newest))) return none;
  const { rows } = await databases.system.query<{ id: string; items: string }>(
    `update dispatches d set leased_until = clock_timestamp() + make_interval(secs => $1::float8 / 1000)
      from (select id from dispatches where sweep_at <= to_timestamp($2::float8 / 1000) and coalesce(leased_until, '-infinity') < clock_timestamp() order by sweep_at limit ${dispatchesAtOnce} for update skip locked) o
      where d.id = o.id returning d.id, d.items`,
    [leaseMs, newest],
  );
  failpoint('sweeper.afterLease');
  const dispatches = rows.map(({ id, items }) => ({ id, commands: itemsOf(items).filter((item) => item.k === 'execute') }));
  return { dispatches, items: await stillSent(databases, dispatches.flatMap(({ commands }) => commands)) };
}

/** Records of which nobody knows how old they are may be any age. */
async function isReadPast(eventLog: Pick<EventLog, 'lag'>, group: string, clock: LedgerClock, timeMs: number): Promise<boolean> {
  const lags = await eventLog.lag(group);
  return lags.every((lag) => lag.topic !== 'results' || lag.lag <= 0n || (lag.oldestUnreadAtMs !== null && clock.fromLogMs(lag.oldestUnreadAtMs) > timeMs + clock.errorMs));
}

/** Reads only how the steps stand, and only of runs that have not ended: nearly all have. */
async function stillSent(databases: Pick<Databases, 'system'>, items: readonly OutboxItem[]): Promise<readonly SweepItem[]> {
  const runs = new Map<string, readonly StepProgress[]>();
  for (let start = 0; start < items.length; start += keysAtOnce) {
    for (const [key, steps] of await readOpenSteps(databases, items.slice(start, start + keysAtOnce).map((item) => ({ organisationId: item.o, runId: item.r })))) runs.set(key, steps);
  }
  return items.flatMap((item): SweepItem[] => {
    const step = runs.get(keyOf({ organisationId: item.o, runId: item.r }))?.find((candidate) => candidate.id === item.s);
    const isOverdue = step?.state === 'sent' && step.dispatch === item.d;
    return isOverdue ? [{ kind: 'sweep', organisationId: item.o, runId: item.r, stepId: item.s, dispatch: item.d }] : [];
  });
}

/** Steps of those of the runs that are not finished. */
export async function readOpenSteps(databases: Pick<Databases, 'system'>, keys: readonly RunKey[]): Promise<ReadonlyMap<string, readonly StepProgress[]>> {
  const { rows } = await inOrganisations(databases, keys.map((key) => key.organisationId), (client) => client.query<{ organisation_id: string; run_id: string; steps: string }>(
    `select r.organisation_id, r.run_id, r.steps from (select distinct organisation_id, run_id from json_to_recordset($1::json) k(organisation_id uuid, run_id uuid)) k
      join runs r on r.organisation_id = k.organisation_id and r.run_id = k.run_id where r.finished_at is null`,
    [JSON.stringify(keys.map((key) => ({ organisation_id: key.organisationId, run_id: key.runId })))],
  ));
  return new Map(rows.map((row) => [keyOf({ organisationId: row.organisation_id, runId: row.run_id }), decodeRun('running', 0, row.steps, '').steps]));
}

/** A step that could not be swept keeps its dispatch: the row is what brings the sweeper back to it. */
export async function forgetSwept(databases: Pick<Databases, 'system'>, { dispatches, items }: Overdue): Promise<void> {
  if (items.length > 0) failpoint('sweeper.beforeForget');
  const swept = new Set(items.map(nameOf));
  const left = items.length === 0 ? [] : await stillSent(databases, dispatches.flatMap(({ commands }) => commands.filter((item) => swept.has(nameOf({ runId: item.r, stepId: item.s, dispatch: item.d })))));
  const kept = new Set(left.map(nameOf));
  const ids = dispatches.filter(({ commands }) => !commands.some((item) => kept.has(nameOf({ runId: item.r, stepId: item.s, dispatch: item.d })))).map(({ id }) => id);
  if (ids.length > 0) await databases.system.query('delete from dispatches where id = any ($1::uuid[])', [ids]);
}
