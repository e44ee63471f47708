import { loadRunsStatement } from './flush/load.js';
import { closeLettersStatement } from './flush/close-letters.js';
import { wakeStatement } from './flush/turns.js';
import { planner } from './flush/transaction.js';
import { flushStatement } from './flush/write.js';
import { behindGatesStatement, leaseBacklogStatement } from './tick/backlog.js';
import { claimDueStatement, claimGivenUpStatement } from './tick/due.js';
import { openBench, type Bench } from './testing/index.js';

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Index Cond'?: string;
  readonly Plans?: readonly PlanNode[];
}

/** Hot statements reach their rows by index whatever the statistics say: on empty tables, on full ones, and where nobody has analysed since they filled. */
describe('plans of the hot statements', () => {
  let bench: Bench;

  beforeAll(async () => {
    bench = await openBench();
  }, 60_000);

  afterAll(() => bench?.close(), 60_000);

  const planOf = async (statement: string, prelude: string): Promise<string[]> => {
    await bench.query('begin');
    await bench.query('set local role app_system');
    if (prelude !== '') await bench.query(prelude);
    await bench.query(`select set_config('app.org_ids', $1, true)`, [bench.organisationId]);
    const [row] = await bench.query<{ 'QUERY PLAN': { Plan: PlanNode }[] }>(`explain (generic_plan, format json) ${statement}`);
    await bench.query('rollback');
    const reached: string[] = [];
    const walk = (node: PlanNode): void => {
      const relation = node['Relation Name'];
      if (/Scan$/.test(node['Node Type']) && (relation !== undefined || node['Index Name'] !== undefined) && node['Node Type'] !== 'CTE Scan') reached.push(`${relation ?? ''} by ${node['Index Name'] ?? node['Node Type']}`);
      for (const child of node.Plans ?? []) walk(child);
    };
    for (const { Plan } of row?.['QUERY PLAN'] ?? []) walk(Plan);
    return [...new Set(reached)].sort();
  };

  const fill = async (): Promise<void> => {
    await bench.query(
      `insert into runs (organisation_id, run_id, root_run_id, root_accepted_at, event_type, digest, accepted_at, state, steps)
        select $1, u, u, now(), 'x', 'd', now() - n * interval '1 second', 'done', '[]' from (select gen_random_uuid() as u, n from generate_series(1, 20000) n) s`,
      [bench.organisationId],
    );
    await bench.query(`insert into run_events (organisation_id, run_id, type, source, event_id, data) select organisation_id, run_id, 'x', 's', 'e', '{}' from runs`);
    await bench.query(`insert into due_work (organisation_id, run_id, step_id, kind, integration_id, due_at) select organisation_id, run_id, 's', case when random() < 0.5 then 'gate' else 'wake' end, $1, now() + interval '1 day' from runs`, [bench.organisationId]);
    await bench.query(`insert into dead_letters (organisation_id, id, class, code, message) select organisation_id, run_id, 'data', 'c', 'm' from runs`);
    await bench.query(`insert into subject_holders (organisation_id, integration_id, subject_hash, number, run_id) select organisation_id, organisation_id, md5(run_id::text), 1, run_id from runs`);
    await bench.query(`insert into dispatches (id, instance, items, sweep_at) select run_id, 'i', '[]', now() from runs`);
  };

  const expected: readonly [string, string, string, readonly string[]][] = [
    ['flush', flushStatement, planner, ['dispatches by dispatches_pkey', 'due_work by due_work_pkey', 'organisations by organisations_pkey', 'runs by runs_pkey', 'subject_holders by subject_holders_pkey']],
    ['load runs', loadRunsStatement, planner, ['run_events by run_events_pkey', 'runs by runs_pkey']],
    // Once took a second for 200 subjects with 2,000 steps waiting for their turn: all of them were walked for each.
    ['subject wake', wakeStatement, planner, ['due_work by due_work_pkey', 'subject_holders by subject_holders_pkey']],
  ];

  it.each([
    ['empty', async () => undefined],
    ['full, never analysed', fill],
    ['full and analysed', async () => void (await bench.query('analyze'))],
  ])('on tables that are %s', async (_, prepare) => {
    await prepare();
    for (const [name, statement, prelude, reached] of expected) expect({ name, reached: await planOf(statement, prelude) }).toEqual({ name, reached });
  }, 60_000);

  it('closes letters by their key once there are any', async () => {
    expect(await planOf(closeLettersStatement, planner)).toEqual(['dead_letters by dead_letters_pkey']);
  });

  /** Found by `trunkline bench throttled`: with 100,000 steps waiting, each of four looks a second walked all of them. */
  it.each([
    ['due work', claimDueStatement, 'due_at'],
    ['what has waited for too long', claimGivenUpStatement, 'give_up_at'],
  ])('looks for %s among what is due only, however much waits', async (_, statement, column) => {
    const lines = await bench.query<{ 'QUERY PLAN': string }>(`explain (generic_plan) ${statement}`);
    expect(lines.map((line) => line['QUERY PLAN'].trim())).toContainEqual(expect.stringContaining(`Index Cond: (${column} <=`));
  });

  it('finds due work and what waits behind gates in the order of their indexes', async () => {
    expect(await planOf(claimDueStatement, '')).toEqual(expect.arrayContaining(['due_work by due_work_by_time']));
    expect(await planOf(leaseBacklogStatement, '')).toEqual(expect.arrayContaining(['due_work by due_work_behind_gates']));
    expect(await planOf(behindGatesStatement, '')).toEqual(['due_work by due_work_behind_gates']);
  });
});
