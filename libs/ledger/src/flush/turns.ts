import type { LastStatement } from '@trunkline/storage';
import type { PoolClient } from 'pg';
import { keyOf } from '../run-row.js';
import type { Decision } from './decision.js';

/** Who is first is found before the table of waiting steps is touched: joined in one, the planner may walk all that wait for each subject. */
export const wakeStatement = `
with first as materialized (
    select k.organisation_id, k.integration_id, h.run_id from json_to_recordset($1::json) k(organisation_id uuid, integration_id uuid, subject_hash text)
    cross join lateral (select h.run_id from subject_holders h where h.organisation_id = k.organisation_id and h.integration_id = k.integration_id and h.subject_hash = k.subject_hash order by h.number limit 1) h
  )
  update due_work d set due_at = clock_timestamp(), leased_until = null from first f
  where d.organisation_id = f.organisation_id and d.run_id = f.run_id and d.integration_id = f.integration_id and d.kind = 'turn' and f.run_id = coalesce(f.run_id, f.organisation_id)`;

interface SubjectKey {
  readonly organisation_id: string;
  readonly integration_id: string;
  readonly subject_hash: string;
}

interface Holder extends SubjectKey {
  readonly run_id: string;
}

interface Holding extends Holder {
  readonly number: string;
}

/** Who lets go of a subject and who has come to hold one, as far as its run is written. */
export interface SubjectChanges {
  readonly released: readonly Holder[];
  readonly held: readonly Holding[];
}

/**
 * Whose turn it is on each subject (delivery §3). Runs get their numbers when they are planned, all at once, under the subject's row lock; the lowest number still held is its turn.
 * The same lock is taken by whoever reaches or finishes an ordered step, so that nobody is left unwoken between the two. Locks are taken in sorted order and before run rows.
 */
export class Turns {
  private readonly keys = new Map<string, SubjectKey>();
  private readonly heads = new Map<string, string>();
  private readonly given: Holding[] = [];

  static async take(client: PoolClient, decisions: readonly Decision[]): Promise<Turns> {
    const turns = new Turns();
    const wanted = new Map<string, Decision[]>();
    for (const decision of decisions) {
      for (const key of touchedSubjects(decision)) {
        const name = nameOf(key);
        turns.keys.set(name, key);
        if (decision.needsNumbers) wanted.set(name, [...(wanted.get(name) ?? []), decision]);
      }
    }
    if (turns.keys.size === 0) return turns;
    // Sent together, run one after the other: the second sees what the first has waited for.
    await Promise.all([turns.number(client, wanted), decisions.some(asksForTurn) ? turns.findHeads(client, decisions) : undefined]);
    turns.takeOwnHeads();
    return turns;
  }

  isTurnOf(decision: Decision, integrationId: string): boolean {
    const head = this.heads.get(nameOf(subjectOf(decision, integrationId)));
    return head === keyOf(decision);
  }

  /** The numbers of these runs, and what they have let go. */
  changesOf(decisions: readonly Decision[]): SubjectChanges {
    if (this.keys.size === 0) return { released: [], held: [] };
    const holders = new Map(decisions.map((decision) => [keyOf(decision), new Set(decision.orderedIntegrations())]));
    const released = decisions.flatMap((decision) => touchedSubjects(decision)
      // A run that is only planned now holds nothing yet, and at the end of the line it makes nobody first.
      .filter((key) => !decision.isNew && (decision.needsNumbers || !holders.get(keyOf(decision))?.has(key.integration_id)))
      .map((key) => ({ ...key, run_id: decision.runId })));
    const held = this.given.filter((holding) => holders.get(keyOf({ organisationId: holding.organisation_id, runId: holding.run_id }))?.has(holding.integration_id));
    return { released: byName(released), held };
  }

  /** Makes the next waiting run of each subject due. A statement behind the one that wrote the changes: it sees who has let go. */
  wake(): LastStatement {
    return { name: 'subject-wake', text: wakeStatement, values: [JSON.stringify(byName([...this.keys.values()]))] };
  }

  get hasSubjects(): boolean {
    return this.keys.size > 0;
  }

  private async number(client: PoolClient, wanted: ReadonlyMap<string, readonly Decision[]>): Promise<void> {
    const asked = byName([...this.keys].map(([name, key]) => ({ ...key, count: wanted.get(name)?.length ?? 0 })));
    const { rows } = await client.query<SubjectKey & { next_number: string }>({
      name: 'subject-numbers',
      text: `insert into subject_turns (organisation_id, integration_id, subject_hash, next_number)
        select organisation_id, integration_id, subject_hash, 1 + count from json_to_recordset($1::json) k(organisation_id uuid, integration_id uuid, subject_hash text, count bigint)
        on conflict (organisation_id, integration_id, subject_hash) do update set next_number = subject_turns.next_number + excluded.next_number - 1, touched_at = excluded.touched_at
        returning organisation_id, integration_id, subject_hash, next_number`,
      values: [JSON.stringify(asked)],
    });
    for (const row of rows) {
      const { next_number, ...key } = row;
      const decisions = wanted.get(nameOf(key)) ?? [];
      const first = BigInt(next_number) - BigInt(decisions.length);
      decisions.forEach((decision, index) => this.given.push({ ...key, run_id: decision.runId, number: String(first + BigInt(index)) }));
    }
  }

  private async findHeads(client: PoolClient, decisions: readonly Decision[]): Promise<void> {
    // Not a run that seems to be new: where it holds a number already, its event has come again, and the one it holds counts.
    const renumbered = decisions.filter((decision) => decision.needsNumbers && !decision.isNew).map((decision) => decision.runId);
    const { rows } = await client.query<SubjectKey & { run_id: string }>({
      name: 'subject-heads',
      text: `select k.organisation_id, k.integration_id, k.subject_hash, h.run_id
        from json_to_recordset($1::json) k(organisation_id uuid, integration_id uuid, subject_hash text)
        cross join lateral (select h.run_id from subject_holders h where h.organisation_id = k.organisation_id and h.integration_id = k.integration_id and h.subject_hash = k.subject_hash
          and h.run_id <> all ($2::uuid[]) order by h.number limit 1) h`,
      values: [JSON.stringify([...this.keys.values()]), renumbered],
    });
    for (const row of rows) this.heads.set(nameOf(row), keyOf({ organisationId: row.organisation_id, runId: row.run_id }));
  }

  /** Behind everybody who was there before; first where nobody was. */
  private takeOwnHeads(): void {
    for (const holding of this.given) {
      const name = nameOf(holding);
      if (!this.heads.has(name)) this.heads.set(name, keyOf({ organisationId: holding.organisation_id, runId: holding.run_id }));
    }
  }
}

/** Subjects on which this flush changes how the run stands: new numbers, an ordered step reached or finished. */
function touchedSubjects(decision: Decision): readonly SubjectKey[] {
  if (decision.loaded.row.subjectHash === null) return [];
  const before = decision.loaded.row.run.steps;
  const integrations = new Set<string>();
  for (const [index, step] of decision.run.steps.entries()) {
    const planned = decision.planned(step.id);
    if (planned === undefined || planned.ordering !== 'subject') continue;
    // A run keeps its steps and their order.
    if (decision.needsNumbers || decision.ready.has(step.id) || before[index]?.state !== step.state) integrations.add(planned.integrationId);
  }
  return [...integrations].map((integrationId) => subjectOf(decision, integrationId));
}

/** Whether an ordered step is to be let through: only then it matters who is first. */
function asksForTurn(decision: Decision): boolean {
  return [...decision.ready].some((stepId) => decision.planned(stepId)?.ordering === 'subject');
}

function subjectOf(decision: Decision, integrationId: string): SubjectKey {
  return { organisation_id: decision.organisationId, integration_id: integrationId, subject_hash: decision.loaded.row.subjectHash ?? '' };
}

function nameOf(key: SubjectKey): string {
  return `${key.organisation_id}/${key.integration_id}/${key.subject_hash}`;
}

/** Everybody locks in this order. */
function byName<Key extends SubjectKey>(keys: readonly Key[]): Key[] {
  const named = keys.map((key) => ({ name: nameOf(key), key }));
  return named.sort((left, right) => (left.name < right.name ? -1 : 1)).map(({ key }) => key);
}
