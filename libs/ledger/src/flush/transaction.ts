import type { ActionFacts, PlannedStep } from '@trunkline/chain';
import { planRun, repeatOf, isHarmlessTwice } from '@trunkline/chain';
import { EventIdReused, subjectHashOf } from '@trunkline/contracts';
import { failpoint } from '@trunkline/failpoints';
import { inOrganisations, type Ending } from '@trunkline/storage';
import type { PoolClient } from 'pg';
import { ResultWithoutRun } from '../errors.js';
import type { ChainKey, PinnedChain } from '../plan/chain-book.js';
import { keyOf } from '../run-row.js';
import { Admission } from './admission.js';
import { attemptOf } from './attempt.js';
import { closeGates } from './close-gates.js';
import { closeLetters } from './close-letters.js';
import { Decision, integrationIdsOf, type LoadedRun } from './decision.js';
import { Families } from './families.js';
import type { DueItem, EventItem, Item, ResultItem, SweepItem, VerbItem } from './item.js';
import { isUuid, letterOfRecord, type LetterRow } from './letter.js';
import { loadRuns, type RunKey } from './load.js';
import type { FlushSurroundings } from './surroundings.js';
import { type FoundIntent, voidIntents } from './sweep-intents.js';
import { Turns } from './turns.js';
import { flushOf, keysOf, type WrittenRow, type Writing } from './write.js';

/** An item that threw while it was worked in; the others of the flush have nothing to do with it. */
export class ItemFailed extends Error {
  constructor(
    readonly item: Item,
    cause: unknown,
  ) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

export interface Committed {
  readonly dispatchId: string;
  readonly written: readonly Decision[];
  /** Decided on a copy that was not the newest: to be decided again. */
  readonly lost: readonly Item[];
  readonly hasWoken: boolean;
}

/** Plans stay index scans whatever the statistics say: a flush touches few rows of large tables, also on the day they are still small. */
export const planner = 'set local enable_seqscan = off; set local enable_bitmapscan = off; set local enable_hashjoin = off; set local enable_mergejoin = off; set local jit = off; set local plan_cache_mode = force_generic_plan';

/** One transaction of a flush: read what is missing, decide in memory, write in one statement. */
export class FlushTransaction {
  private readonly decisions = new Map<string, Decision>();
  private readonly cached = new Set<string>();
  private readonly letters: LetterRow[] = [];
  private readonly lateLetters: LetterRow[] = [];
  private readonly orphanedDue: DueItem[] = [];
  private readonly repeats = new Map<string, EventItem[]>();
  private readonly lost: Item[] = [];
  private readonly nowMs: number;
  private readonly families: Families;
  private readonly admission: Admission;

  constructor(
    private readonly around: FlushSurroundings,
    private readonly items: readonly Item[],
    private readonly sentDispatches: readonly string[],
    /** Whether the COMMIT may go behind the flush statement: what that did not take comes back as lost, and needs a transaction that hears it before. */
    private readonly mayCommitBehind = false,
  ) {
    this.nowMs = around.clock.nowMs();
    this.families = new Families();
    this.admission = new Admission(around.gates, around.settings, this.nowMs, this.families, around.mayAdmit);
  }

  async run(): Promise<Committed> {
    const organisations = this.items.map((item) => item.organisationId);
    try {
      return await inOrganisations(this.around.databases, organisations, (client, ending) => this.work(client, ending), { statements: planner, ...(this.mayCommitBehind && { goesOn: true }) });
    } catch (error) {
      this.admission.releaseAll();
      throw error;
    }
  }

  private async work(client: PoolClient, ending: Ending): Promise<Committed> {
    await this.plan(client);
    await this.join(client);
    await this.readIntegrations(client);
    await this.apply(client);
    const open = [...this.decisions.values()].filter((decision) => !decision.isStale);
    const turns = await Turns.take(client, open);
    await this.families.read(client, open);
    this.admission.close(open);
    // Who has waited passes before who comes only now.
    for (const decision of open) if (decision.hasWaited) this.admission.admit(decision, turns);
    for (const decision of open) if (!decision.hasWaited) this.admission.admit(decision, turns);
    const writing: Writing = {
      decisions: open,
      letters: this.letters,
      orphanedDue: this.orphanedDue,
      dispatch: { id: this.around.newId(), instance: this.around.instance, sweepAtMs: this.admission.sweepAtMs },
      sentDispatches: this.sentDispatches,
      subjects: turns.changesOf(open),
      maxWaitMs: this.around.settings.maxWaitMs,
    };
    return this.isWhole(open) ? this.writeAtOnce(ending, writing, turns) : this.writeStepByStep(client, writing, turns);
  }

  /** Whether nothing of the transaction comes after the flush statement that depends on its answer. */
  private isWhole(open: readonly Decision[]): boolean {
    const isEach = [...this.repeats].every(([key, items]) => items.length === 1 && this.decisions.get(key)?.isNew === true);
    return this.mayCommitBehind && isEach && open.length === this.decisions.size && open.every((decision) => decision.closedLetters.length === 0 && decision.closings.length === 0 && !this.isIdleCopy(decision));
  }

  /** A due row exists while a cached copy has nothing to do for it: the copy is old. */
  private isIdleCopy(decision: Decision): boolean {
    return !decision.isChanged && this.cached.has(keyOf(decision)) && decision.items.some((item) => item.kind === 'due');
  }

  private async writeAtOnce(ending: Ending, writing: Writing, turns: Turns): Promise<Committed> {
    const statements = [flushOf(writing), ...(writing.subjects.released.length > 0 ? [turns.wake()] : [])];
    const [flushed, woken] = await ending.commitBehind<WrittenRow>(statements, beforeCommit);
    const writtenKeys = keysOf(flushed ?? { rows: [] });
    const changed = writing.decisions.filter((decision) => decision.isChanged);
    const written = changed.filter((decision) => writtenKeys.has(keyOf(decision)));
    const notWritten = changed.filter((decision) => !writtenKeys.has(keyOf(decision)));
    this.admission.release(new Set(notWritten));
    for (const decision of notWritten) {
      this.around.runs.delete(keyOf(decision));
      this.lost.push(...decision.items);
    }
    return { dispatchId: writing.dispatch.id, written, lost: this.lost, hasWoken: (woken?.rowCount ?? 0) > 0 };
  }

  private async writeStepByStep(client: PoolClient, writing: Writing, turns: Turns): Promise<Committed> {
    const { decisions: open, dispatch: { id: dispatchId } } = writing;
    const writtenKeys = keysOf(await client.query<WrittenRow>(flushOf(writing)));
    const written = open.filter((decision) => decision.isChanged && writtenKeys.has(keyOf(decision)));
    const notWritten = [...this.decisions.values()].filter((decision) => decision.isStale || this.isIdleCopy(decision) || (decision.isChanged && !writtenKeys.has(keyOf(decision))));
    this.admission.release(new Set(notWritten));
    for (const decision of notWritten) this.giveUp(decision);
    await this.compareRepeats(client, writtenKeys);
    await this.writeLateLetters(client);
    const wakes = turns.hasSubjects && (writing.subjects.released.length > 0 || notWritten.length > 0);
    const hasWoken = wakes && ((await client.query(turns.wake())).rowCount ?? 0) > 0;
    await closeLetters(client, written);
    await closeGates(client, written, this.nowMs);
    beforeCommit();
    return { dispatchId, written, lost: this.lost, hasWoken };
  }

  /** Runs for the events: the plan is the chain version in force at the append time (P8). */
  private async plan(client: PoolClient): Promise<void> {
    const { chains, clock } = this.around;
    const events = this.items.filter((item) => item.kind === 'event');
    const stale = events.filter((item) => chains.isStale(chainKeyOf(item), item.appendedAtMs, clock.errorMs));
    await chains.readLists(client, stale.map(chainKeyOf), this.nowMs);
    const planned: { item: EventItem; key: ChainKey; ref: PinnedChain['ref'] }[] = [];
    for (const item of events) {
      const key = keyOf(item);
      if (this.repeats.has(key) || this.around.runs.get(key) !== undefined) {
        this.repeats.set(key, [...(this.repeats.get(key) ?? []), item]);
        continue;
      }
      this.repeats.set(key, [item]);
      planned.push({ item, ...chains.inForce(chainKeyOf(item), item.appendedAtMs) });
    }
    await chains.readPinned(client, planned.map(({ item, ref }) => ({ organisationId: item.organisationId, ref })));
    for (const { item, ref } of planned) this.begin(item, ref);
  }

  private begin(item: EventItem, ref: PinnedChain['ref']): void {
    const chain = this.around.chains.pinnedAs(item.organisationId, ref);
    if (chain === undefined) throw new ItemFailed(item, new Error(`chain version ${ref.version} of ${ref.eventType} is listed but cannot be read`));
    const { event } = item;
    const loaded: LoadedRun = {
      event,
      row: {
        organisationId: item.organisationId,
        runId: item.runId,
        rootRunId: item.runId,
        rootAcceptedAtMs: item.acceptedAtMs,
        eventType: event.type,
        subjectHash: event.subject === null ? null : subjectHashOf(item.organisationId, event.subject),
        digest: event.digest,
        chain: ref,
        hasReplays: false,
        rev: 0,
        run: planRun(chain.plan, item.acceptedAtMs),
      },
    };
    const decision = this.decide(loaded, chain, item);
    decision.items.push(item);
    this.decisions.set(keyOf(item), decision);
  }

  private decide(loaded: LoadedRun, chain: PinnedChain, origin: EventItem | null): Decision {
    return new Decision(loaded, chain, origin, {
      nowMs: this.nowMs,
      random: this.around.random,
      factsOf: (planned) => this.factsOf(loaded.row.organisationId, planned),
    });
  }

  /** Items about runs that exist join them. */
  private async join(client: PoolClient): Promise<void> {
    const about = this.items.filter((item) => item.kind === 'result' || item.kind === 'due' || item.kind === 'sweep' || item.kind === 'verb');
    const missing = new Map<string, RunKey>();
    const found = new Map<string, LoadedRun>();
    for (const item of about) {
      const key = keyOf(item);
      const known = this.around.runs.get(key);
      if (known === undefined) missing.set(key, item);
      else {
        found.set(key, known);
        this.cached.add(key);
      }
    }
    for (const [key, loaded] of await loadRuns(client, [...missing.values()])) found.set(key, loaded);
    await this.around.chains.readPinned(client, [...found.values()].map(({ row }) => ({ organisationId: row.organisationId, ref: row.chain })));
    for (const item of about) {
      const key = keyOf(item);
      const loaded = found.get(key);
      const decision = loaded === undefined ? this.decisions.get(key) : (this.existing(key) ?? this.resume(item, loaded));
      if (decision === undefined) this.withoutRun(item);
      else decision.items.push(item);
    }
    for (const item of this.items) if (item.kind === 'letter') this.letters.push(item.letter);
  }

  /** A decision for an event that turned out to have its run already gives way to the run. */
  private existing(key: string): Decision | undefined {
    const decision = this.decisions.get(key);
    return decision?.isNew === true ? undefined : decision;
  }

  private resume(item: Item, loaded: LoadedRun): Decision {
    const chain = this.around.chains.pinnedAs(loaded.row.organisationId, loaded.row.chain);
    if (chain === undefined) throw new ItemFailed(item, new Error(`chain version ${loaded.row.chain.version} of ${loaded.row.chain.eventType} cannot be read`));
    const decision = this.decide(loaded, chain, null);
    this.decisions.set(keyOf(loaded.row), decision);
    return decision;
  }

  private withoutRun(item: ResultItem | DueItem | SweepItem | VerbItem): void {
    if (item.kind === 'due') this.orphanedDue.push(item);
    if (item.kind === 'result') this.letters.push(letterOfRecord(item.record, { organisationId: item.organisationId, class: 'data', code: ResultWithoutRun.code, message: `no run ${item.runId}` }));
  }

  private async readIntegrations(client: PoolClient): Promise<void> {
    const { gates, settings } = this.around;
    const keys = new Map<string, { organisationId: string; integrationId: string }>();
    for (const decision of this.decisions.values()) {
      for (const integrationId of integrationIdsOf(decision.chain)) {
        const key = { organisationId: decision.organisationId, integrationId };
        const gate = gates.of(key);
        gate.usedAtMs = this.nowMs;
        if (isUuid(integrationId) && gate.factsReadAtMs < this.nowMs - 10 * settings.gatePollMs) keys.set(`${key.organisationId}/${integrationId}`, key);
      }
    }
    await gates.read(client, [...keys.values()], this.nowMs);
  }

  private factsOf(organisationId: string, planned: PlannedStep): ActionFacts | undefined {
    const { facts } = this.around.gates.of({ organisationId, integrationId: planned.integrationId });
    return facts === null ? undefined : this.around.catalogue.find(planned.provider, planned.action, facts.settings);
  }

  private async apply(client: PoolClient): Promise<void> {
    const intents = await voidIntents(client, this.decisions, (decision, item) => this.keepsIntent(decision, item));
    for (const decision of this.decisions.values()) {
      for (const item of decision.items) {
        try {
          this.applyItem(decision, item, intents);
        } catch (error) {
          throw new ItemFailed(item, error);
        }
        if (decision.isStale) break;
      }
    }
  }

  private keepsIntent(decision: Decision, item: SweepItem): boolean {
    const planned = decision.planned(item.stepId);
    const step = decision.step(item.stepId);
    const facts = decision.factsOf(item.stepId);
    if (planned === undefined || step === undefined || facts === undefined) return true;
    return decision.isOrdered(planned) || !isHarmlessTwice(repeatOf(facts, step));
  }

  private applyItem(decision: Decision, item: Item, intents: ReadonlyMap<SweepItem, FoundIntent>): void {
    switch (item.kind) {
      case 'event':
        decision.apply({ kind: 'start' });
        return;
      case 'result':
        return this.applyResult(decision, item);
      case 'due':
        return this.applyDue(decision, item);
      case 'sweep': {
        const found = intents.get(item) ?? { intent: 'none' as const };
        const isSwept = decision.apply({ kind: 'swept', stepId: item.stepId, dispatch: item.dispatch, ...found });
        const planned = decision.planned(item.stepId);
        // A worker that had begun says nothing about whether workers are there.
        if (isSwept && found.intent !== 'open' && planned !== undefined) decision.swept.push({ integrationId: planned.integrationId });
        return;
      }
      case 'verb':
        decision.apply(item.happening);
        return;
      case 'letter':
        return;
      default:
        item satisfies never;
    }
  }

  private applyResult(decision: Decision, item: ResultItem): void {
    const { stepId, dispatch, answer, call } = item.result;
    decision.seenAtMs = call?.startedAtMs ?? item.record.appendedAtMs;
    decision.integrationVersion = item.result.integrationVersion ?? null;
    const isApplied = answer.kind === 'outcome'
      ? decision.apply({ kind: 'result', stepId, dispatch, outcome: answer.outcome })
      // Without a call nothing was looked up: as early as can be, so that it proves nothing.
      : decision.apply({ kind: 'finding', stepId, dispatch, lookedUpAtMs: call?.startedAtMs ?? 0, finding: answer.finding });
    if (decision.isStale) return;
    decision.attempts.push(attemptOf(item, decision, isApplied));
  }

  private applyDue(decision: Decision, { due, stepId }: DueItem): void {
    switch (due) {
      case 'gate':
      case 'turn':
        decision.ready.add(stepId);
        decision.hasWaited = true;
        return;
      case 'wake':
      case 'look-up':
        decision.apply({ kind: 'due', stepId });
        return;
      case 'start':
        decision.needsNumbers = true;
        decision.apply({ kind: 'start' });
        return;
      case 'redrive':
        decision.apply({ kind: 'redrive' });
        return;
      case 'give-up':
        decision.apply({ kind: 'park', stepId, reason: 'provider-down' });
        return;
      default:
        due satisfies never;
    }
  }

  /** Not written: its run was there already (the first stands), or has moved on. */
  private giveUp(decision: Decision): void {
    const key = keyOf(decision);
    const wasFresh = !this.cached.has(key);
    this.around.runs.delete(key);
    for (const item of decision.items) {
      if (item.kind === 'event') continue;
      // Read just now and still behind what the result speaks of: a command nobody sent.
      const isBogus = decision.isStale && wasFresh && item.kind === 'result' && item.result.dispatch > (decision.step(item.result.stepId)?.dispatch ?? 0);
      if (isBogus) this.lateLetters.push(letterOfRecord(item.record, { organisationId: item.organisationId, class: 'data', code: ResultWithoutRun.code, message: `step ${item.result.stepId} has no dispatch ${item.result.dispatch}`, runId: item.runId }));
      else this.lost.push(item);
    }
  }

  /** A second event under a known id: the first stands; one with other content is kept as a dead letter (delivery §2). */
  private async compareRepeats(client: PoolClient, writtenKeys: ReadonlySet<string>): Promise<void> {
    const digests = new Map<string, string>();
    const unread: RunKey[] = [];
    for (const [key, items] of this.repeats) {
      const decision = this.decisions.get(key);
      const isKnown = decision !== undefined && (!decision.isNew || writtenKeys.has(key));
      const known = isKnown ? decision.loaded.row.digest : this.around.runs.get(key)?.row.digest;
      if (known !== undefined) digests.set(key, known);
      else unread.push(...items.slice(0, 1));
    }
    for (const [key, loaded] of await loadRuns(client, unread)) digests.set(key, loaded.row.digest);
    for (const [key, items] of this.repeats) {
      const digest = digests.get(key);
      // Neither written nor there already: the organisation has left.
      if (digest === undefined) continue;
      for (const item of items.filter(({ event }) => event.digest !== digest)) {
        this.lateLetters.push(letterOfRecord(item.record, { organisationId: item.organisationId, class: 'conflict', code: EventIdReused.code, message: `source ${item.event.source}, id ${item.event.id}`, runId: item.runId }));
      }
    }
  }

  private async writeLateLetters(client: PoolClient): Promise<void> {
    if (this.lateLetters.length === 0) return;
    const dispatch = { id: this.around.newId(), instance: this.around.instance, sweepAtMs: 0 };
    await client.query(flushOf({ decisions: [], letters: this.lateLetters, orphanedDue: [], dispatch, sentDispatches: [], subjects: { released: [], held: [] }, maxWaitMs: 0 }));
  }
}

function beforeCommit(): void {
  failpoint('ledger.beforeCommit');
}

function chainKeyOf(item: EventItem): ChainKey {
  return { organisationId: item.organisationId, eventType: item.event.type, assistantId: item.event.assistantId ?? '' };
}
