import { isFinal } from '@trunkline/chain';
import { TrunklineError } from '@trunkline/contracts';
import { failpoint } from '@trunkline/failpoints';
import { isDatabaseAway } from '@trunkline/storage';
import { RecordFailed, RunsContended } from '../errors.js';
import { keyOf } from '../run-row.js';
import { closedUntilMs } from './close-gates.js';
import { dispatchName } from './command.js';
import type { Decision, OutgoingCommand } from './decision.js';
import type { Item } from './item.js';
import { letterOfRecord, type LetterRow } from './letter.js';
import type { FlushSurroundings } from './surroundings.js';
import { FlushTransaction, ItemFailed, type Committed } from './transaction.js';

export interface FlushEvents {
  /** Committed: may be sent now. */
  send(dispatchId: string, commands: readonly OutgoingCommand[]): void;
  /** Dispatches that have been sent since the last flush; taken once the flush is committed. */
  sentDispatches(): readonly string[];
  markedSent(ids: readonly string[]): void;
  /** A subject's next run is due at once. */
  woken(): void;
  finished(decision: Decision): void;
  report(error: unknown, act: string): void;
}

/** More than that come because much is waiting: there the wait for a flush makes the next one large, and a large one is cheap per item. */
const mostInHaste = 16;

const foreverConflicting = new Set(['40P01', '40001']);

/** Works items into the ledger until each is either written or, alone with its error, a dead letter. */
export class FlushEngine {
  constructor(
    private readonly around: FlushSurroundings,
    private readonly events: FlushEvents,
  ) {}

  /** Rejects when the database cannot take anything now: nothing of these items may be passed. */
  async flush(items: readonly Item[]): Promise<void> {
    let waiting = items;
    let conflicts = 0;
    for (let round = 0; waiting.length > 0; round += 1) {
      try {
        const committed = await this.transact(waiting, round === 0);
        waiting = committed.lost;
        if (waiting.length > 0 && round > this.around.settings.conflictRepeats) throw RunsContended.because(`${waiting.length} records after ${round} flushes`);
      } catch (error) {
        if (foreverConflicting.has(sqlStateOf(error)) && conflicts < this.around.settings.conflictRepeats) {
          conflicts += 1;
          continue;
        }
        if (isWorthRepeating(error)) throw error;
        return this.isolate(waiting, error);
      }
    }
  }

  private async transact(items: readonly Item[], isFirst: boolean): Promise<Committed> {
    const sent = this.events.sentDispatches();
    const committed = await new FlushTransaction(this.around, items, sent, isFirst && items.length <= mostInHaste).run();
    failpoint('ledger.afterCommit');
    this.events.markedSent(sent);
    this.settle(committed);
    return committed;
  }

  /** Halves until the culprit stands alone (delivery §4); the others do not notice. */
  private async isolate(items: readonly Item[], error: unknown): Promise<void> {
    const culprit = error instanceof ItemFailed ? error.item : items.length === 1 ? items[0] : undefined;
    if (culprit !== undefined) {
      const rest = items.filter((item) => item !== culprit);
      await this.bury(culprit, error);
      return this.flush(rest);
    }
    const middle = Math.ceil(items.length / 2);
    await this.flush(items.slice(0, middle));
    await this.flush(items.slice(middle));
  }

  private async bury(item: Item, error: unknown): Promise<void> {
    const letter = letterFor(item, error);
    if (letter === null) {
      this.events.report(error, `working in a ${item.kind} item of run ${item.runId ?? 'none'}`);
      return;
    }
    await this.flush([{ kind: 'letter', organisationId: item.organisationId, runId: null, letter }]);
  }

  /** What was only planned in memory becomes true. */
  private settle({ dispatchId, written, hasWoken }: Committed): void {
    const commands: OutgoingCommand[] = [];
    for (const decision of written) {
      this.remember(decision);
      commands.push(...decision.commands);
      this.settleGates(decision);
      const { state } = decision.run;
      if (state !== 'running' && state !== 'parked' && (decision.isNew || decision.loaded.row.run.state !== state)) this.events.finished(decision);
    }
    if (commands.length > 0) this.events.send(dispatchId, commands);
    if (hasWoken) this.events.woken();
  }

  private remember(decision: Decision): void {
    const key = keyOf(decision);
    if (decision.run.steps.every((step) => isFinal(step.state))) {
      this.around.runs.delete(key);
      return;
    }
    const { row, event } = decision.loaded;
    this.around.runs.set(key, { event, row: { ...row, run: decision.run, rev: decision.isNew ? 0 : row.rev + 1 } });
  }

  private settleGates(decision: Decision): void {
    const { gates, clock, random } = this.around;
    const nowMs = clock.nowMs();
    for (const item of decision.items) {
      const stepId = item.kind === 'result' ? item.result.stepId : item.kind === 'sweep' ? item.stepId : null;
      const planned = stepId === null ? undefined : decision.planned(stepId);
      if (planned === undefined) continue;
      const gate = gates.of({ organisationId: decision.organisationId, integrationId: planned.integrationId });
      if (item.kind === 'sweep') gate.inFlight.delete(dispatchName(item));
      if (item.kind === 'result' && item.result.answer.kind === 'outcome') gate.answered(dispatchName(item.result), countsAs(item.result.answer.outcome.kind), nowMs);
    }
    for (const { integrationId, untilMs, reason } of decision.closings) {
      const gate = gates.of({ organisationId: decision.organisationId, integrationId });
      const openAtMs = closedUntilMs(reason, untilMs, nowMs) ?? Infinity;
      if (gate.facts !== null && gate.facts.openAtMs < openAtMs) gate.update({ ...gate.facts, openAtMs, reason }, nowMs, random);
    }
    for (const { integrationId } of decision.swept) gates.of({ organisationId: decision.organisationId, integrationId }).probe();
    for (const [stepId, due] of decision.due) {
      const planned = decision.planned(stepId);
      if (due.kind !== 'gate' || planned === undefined) continue;
      const gate = gates.of({ organisationId: decision.organisationId, integrationId: planned.integrationId });
      if (due.leasedUntilMs === undefined) gate.overflow();
      else gate.backlog.push({ organisationId: decision.organisationId, runId: decision.runId, stepId, leasedUntilMs: due.leasedUntilMs });
    }
  }
}

function countsAs(outcome: string): 'done' | 'expired' | 'other' {
  if (outcome === 'expired') return 'expired';
  return outcome === 'ok' || outcome === 'failed' || outcome === 'transient' || outcome === 'unknown' ? 'done' : 'other';
}

function letterFor(item: Item, error: unknown): LetterRow | null {
  const message = error instanceof Error ? error.message : String(error);
  const code = sqlStateOf(error) === '' ? RecordFailed.code : `${RecordFailed.code}.${sqlStateOf(error).toLowerCase()}`;
  const trouble = { organisationId: item.organisationId, class: 'data', code, message } as const;
  return item.kind === 'event' || item.kind === 'result' ? letterOfRecord(item.record, { ...trouble, runId: item.runId }) : null;
}

/** Connection, transaction rollback, resources, operator, system, and a lock that was not had in time: the same items may well be taken later. */
function isWorthRepeating(error: unknown): boolean {
  if (error instanceof TrunklineError && error.definition.class === 'unavailable') return true;
  if (isDatabaseAway(error)) return true;
  const state = sqlStateOf(error);
  return /^(?:08|40|53|57|58)/.test(state) || state === '55P03';
}

export function sqlStateOf(error: unknown): string {
  if (error instanceof ItemFailed || error instanceof TrunklineError) return '';
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && /^[0-9A-Z]{5}$/.test(error.code) ? error.code : '';
}
