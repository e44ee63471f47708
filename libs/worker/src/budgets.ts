import { limitsOf as limitsIn, type Provider } from '@trunkline/connectors';
import type { Databases } from '@trunkline/storage';
import { Budget } from './budget.js';
import { BudgetRows } from './budget-rows.js';
import { IdleEntries } from './idle-entries.js';
import { Places } from './places.js';
import type { Integration } from './integrations.js';
import { Permit, type Granted } from './permit.js';
import type { WorkerLogger } from './ports.js';

const storeEveryMs = 1_000;
/** Stored with every second's look for so long after its last use. */
const inUseMs = 5_000;
/** What was last stored this long ago has to be stored again before anything is granted: somebody else may own the budget by now. */
const trustedForMs = 1_500;
/** Calls that may be granted beyond what is stored until it is stored again; twice as many as since the last time, if that is more. The next owner counts them as made. */
const leastAhead = 8;
const mostAhead = 512;
/** Of the smallest window: an owner that dies must not leave it full. */
const shareAhead = 0.25;
const mostSaves = 5;
const unsavedWaitMs = 1_000;
/** Then forgotten, once its windows are empty. */
const idleAfterMs = 15 * 60_000;

interface Held {
  readonly budget: Budget;
  readonly places: Places;
  readonly limits: string;
  readonly organisationId: string;
  readonly integrationId: string;
  /** Calls in the smallest window; Infinity: nothing to store. */
  readonly calls: number;
  usedAtMs: number;
  isChanged: boolean;
  /** Granted since what is stored was counted; never more than `ahead`. */
  uncovered: number;
  ahead: number;
  savedAtMs: number;
  /** Another worker has claimed it. */
  isLost: boolean;
}

/** Times on the database's clock. */
export type Permission = { readonly kind: 'granted'; readonly permit: Permit } | { readonly kind: 'denied'; readonly untilMs: number; readonly because: string };

/** One budget per integration. Commands are partitioned by integration, so one process owns each. What it has used, and what it may use until it stores again, is stored for the next owner before it is used: a killed process leaves nothing uncounted, and two that both take themselves for the owner have one limit. */
export class Budgets {
  private readonly held = new Map<string, Held>();
  private readonly idle = new IdleEntries(this.held, ({ budget, places, isChanged, usedAtMs }, nowMs) => places.isFree && !isChanged && nowMs - usedAtMs > idleAfterMs && budget.isUnused(this.monotonicMs()));
  private readonly reading = new Map<string, Promise<Held>>();
  private readonly saving = new Map<Held, Promise<void>>();
  private readonly rows: BudgetRows;
  private timer: NodeJS.Timeout | null = null;
  private startedAtMs = Number.POSITIVE_INFINITY;

  constructor(
    databases: Databases,
    private readonly worker: string,
    private readonly nowMs: () => number,
    /** Budgets count on this clock alone: the measured offset to the database's moves by parts of a second, and a machine's clock may be set. */
    private readonly monotonicMs: () => number,
    private readonly logger: WorkerLogger | undefined,
  ) {
    this.rows = new BudgetRows(databases, worker);
  }

  get size(): number {
    return this.held.size;
  }

  start(): void {
    this.startedAtMs = this.nowMs();
    this.timer = setInterval(() => void this.store().catch((error: unknown) => this.logger?.warn({ err: error }, 'Used budgets cannot be stored; the next owner will assume more than was used')), storeEveryMs);
    this.timer.unref();
  }

  async stop(): Promise<void> {
    if (this.timer !== null) clearInterval(this.timer);
    for (const held of this.held.values()) held.isChanged = true;
    await this.store(true);
  }

  /** `release` is called with the permit's end; a refusal leaves it to the caller. */
  async reserve(integration: Integration, cost: number, maxWaitMs: number, release: () => void = () => undefined, late: () => void = () => undefined): Promise<Permission> {
    const granted = await this.grant(integration, cost, maxWaitMs);
    if (granted.kind === 'denied') return { ...granted, untilMs: this.onDatabaseClock(granted.untilMs) };
    const again = (leftMs: number): Promise<Granted> => this.grant(integration, 1, leftMs);
    return { kind: 'granted', permit: new Permit({ granted, again, nowMs: this.monotonicMs, maxWaitMs, release, late }) };
  }

  private async grant(integration: Integration, cost: number, maxWaitMs: number): Promise<Granted> {
    for (let isSecond = false; ; isSecond = true) {
      const held = await this.of(integration);
      const reservation = held.budget.reserve(cost, this.monotonicMs(), maxWaitMs);
      held.usedAtMs = this.nowMs();
      if (reservation.kind === 'denied') return reservation;
      held.isChanged = true;
      const { grant } = reservation;
      if (await this.cover(held, cost)) return { kind: 'granted', budget: held.budget, grant };
      held.budget.giveBack(grant);
      if (!held.isLost || isSecond) return { kind: 'denied', untilMs: this.monotonicMs() + unsavedWaitMs, because: 'budget.unsaved' };
    }
  }

  /** Whether the next owner will know of these calls, whatever becomes of this process. */
  private async cover(held: Held, cost: number): Promise<boolean> {
    if (held.calls === Number.POSITIVE_INFINITY) return true;
    held.uncovered += cost;
    try {
      for (let saves = 0; !held.isLost && !this.isCovered(held); saves += 1) {
        if (saves === mostSaves) return false;
        await this.save(held);
      }
    } catch (error) {
      this.logger?.warn({ err: error, integrationId: held.integrationId }, 'A used budget cannot be stored; its calls wait until it can');
      return false;
    }
    return !held.isLost;
  }

  private isCovered({ uncovered, ahead, savedAtMs }: Held): boolean {
    return uncovered <= ahead && this.monotonicMs() - savedAtMs <= trustedForMs;
  }

  onDatabaseClock(monotonicMs: number): number {
    return this.nowMs() + (monotonicMs - this.monotonicMs());
  }

  /** A place among the calls that may run at once; null when none gets free in time. */
  async place(integration: Integration, maxWaitMs: number): Promise<(() => void) | null> {
    return (await this.of(integration)).places.take(maxWaitMs);
  }

  closeUntil(integration: Integration, untilMs: number, because: string): void {
    this.held.get(integration.id)?.budget.closeUntil(this.monotonicMs() + (untilMs - this.nowMs()), because);
  }

  note(integrationId: string, left: { readonly remaining: number; readonly resetMs: number }): void {
    const held = this.held.get(integrationId);
    if (held === undefined) return;
    held.budget.note(left.remaining, left.resetMs, this.monotonicMs());
    held.isChanged = true;
  }

  private async of(integration: Integration): Promise<Held> {
    const limits = limitsTextOf(integration);
    const held = this.held.get(integration.id);
    if (held !== undefined && held.limits === limits && !held.isLost) return held;
    const reading = this.reading.get(integration.id) ?? this.claim(integration, limits).finally(() => this.reading.delete(integration.id));
    this.reading.set(integration.id, reading);
    return reading;
  }

  private async claim({ organisationId, id, provider, settings }: Integration, limits: string): Promise<Held> {
    const { windows, places } = limitsOf({ provider, settings });
    const stored = windows.length === 0 ? [] : await this.rows.claim(organisationId, id, windows.map(({ name }) => name));
    const before = this.held.get(id);
    const budget = new Budget(windows);
    // A name may have been another process's before this one started.
    const isOwn = stored.every(({ worker, storedAtMs }) => worker === null || (worker === this.worker && storedAtMs > this.startedAtMs));
    const nowMs = this.monotonicMs();
    budget.inherit(stored.map((row) => ({ ...row, storedAtMs: nowMs - (this.nowMs() - row.storedAtMs) })), nowMs, isOwn);
    const calls = Math.min(Number.POSITIVE_INFINITY, ...windows.map((window) => window.calls));
    const held: Held = {
      budget, places: before !== undefined && before.limits === limits ? before.places : new Places(places), limits, organisationId, integrationId: id, calls,
      usedAtMs: this.nowMs(), isChanged: true, uncovered: 0, ahead: 0, savedAtMs: Number.NEGATIVE_INFINITY, isLost: false,
    };
    this.idle.sweep(this.nowMs());
    this.held.set(id, held);
    return held;
  }

  /** Everybody who needs one more waits for the same, also for that of each second. */
  private save(held: Held): Promise<void> {
    return this.saving.get(held) ?? this.alone([held]);
  }

  private async store(isLast = false): Promise<void> {
    const nowMs = this.nowMs();
    if (isLast) await Promise.allSettled(this.saving.values());
    await this.alone([...this.held.values()].filter((held) => !this.saving.has(held) && held.calls < Number.POSITIVE_INFINITY && !held.isLost && (held.isChanged || nowMs - held.usedAtMs < inUseMs)), isLast);
  }

  /** One at a time of each budget: of two under way at once the older may come last, and both would count the same calls as stored. */
  private alone(helds: readonly Held[], isLast = false): Promise<void> {
    const writing = this.write(helds, isLast).finally(() => helds.forEach((held) => this.saving.delete(held)));
    for (const held of helds) this.saving.set(held, writing);
    return writing;
  }

  private async write(helds: readonly Held[], isLast: boolean): Promise<void> {
    const nowMs = this.monotonicMs();
    const stores = helds.map((held) => ({ held, covered: held.uncovered, ahead: isLast ? 0 : aheadOf(held) }));
    for (const { held } of stores) held.isChanged = false;
    const lost = await this.rows.store(stores.flatMap(({ held, ahead }) => held.budget.toStore(nowMs).map((window) => ({ ...window, used: window.used + ahead, organisationId: held.organisationId, integrationId: held.integrationId }))));
    for (const { held, covered, ahead } of stores) {
      held.uncovered -= covered;
      held.ahead = ahead;
      held.savedAtMs = Math.max(held.savedAtMs, nowMs);
      held.isLost ||= lost.has(held.integrationId);
    }
  }
}

function aheadOf({ calls, uncovered }: Held): number {
  return Math.max(1, Math.floor(Math.min(mostAhead, calls * shareAhead, Math.max(leastAhead, 2 * uncovered))));
}

const limitsTexts = new WeakMap<Integration, string>();

/** Asked twice per call; an integration whose settings change is another object. */
function limitsTextOf(integration: Integration): string {
  const known = limitsTexts.get(integration);
  if (known !== undefined) return known;
  const text = JSON.stringify(limitsOf(integration));
  limitsTexts.set(integration, text);
  return text;
}

function limitsOf({ provider, settings }: { readonly provider: Provider; readonly settings: Readonly<Record<string, unknown>> }): { readonly windows: readonly { readonly name: string; readonly calls: number; readonly windowMs: number }[]; readonly places: number } {
  const limits = limitsIn(provider.limits, settings);
  const windows = limits.flatMap((limit) => (limit.kind === 'window' ? [{ name: limit.name, calls: limit.calls, windowMs: limit.windowMs }] : []));
  return { windows, places: Math.min(128, ...limits.filter(({ kind }) => kind === 'concurrent').map(({ calls }) => calls)) };
}
