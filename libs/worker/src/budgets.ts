import { limitsOf as limitsIn, type Provider } from '@trunkline/connectors';
import { inOrganisations, type Databases } from '@trunkline/storage';
import { Budget, type StoredWindow } from './budget.js';
import { IdleEntries } from './idle-entries.js';
import { Places } from './places.js';
import type { Integration } from './integrations.js';
import { Permit } from './permit.js';
import type { WorkerLogger } from './ports.js';

const storeEveryMs = 1_000;
/** After a pause this long somebody else may have used the budget meanwhile. */
const readAgainAfterMs = 5_000;
/** Then forgotten, once its windows are empty. */
const idleAfterMs = 15 * 60_000;

interface Held {
  readonly budget: Budget;
  readonly places: Places;
  readonly limits: string;
  readonly organisationId: string;
  readonly integrationId: string;
  usedAtMs: number;
  isChanged: boolean;
}

/** Times on the database's clock. */
export type Permission = { readonly kind: 'granted'; readonly permit: Permit } | { readonly kind: 'denied'; readonly untilMs: number; readonly because: string };

interface Row {
  readonly name: string;
  readonly used: number;
  readonly stored_at_ms: string;
  readonly worker: string | null;
}

/** One budget per integration. Commands are partitioned by integration, so one process owns each; what it used is stored every second for the next owner. */
export class Budgets {
  private readonly held = new Map<string, Held>();
  private readonly idle = new IdleEntries(this.held, ({ budget, places, isChanged, usedAtMs }, nowMs) => places.isFree && !isChanged && nowMs - usedAtMs > idleAfterMs && budget.isUnused(this.monotonicMs()));
  private readonly reading = new Map<string, Promise<Held>>();
  private timer: NodeJS.Timeout | null = null;
  private startedAtMs = Number.POSITIVE_INFINITY;

  constructor(
    private readonly databases: Databases,
    private readonly worker: string,
    private readonly nowMs: () => number,
    /** Budgets count on this clock alone: the measured offset to the database's moves by parts of a second, and a machine's clock may be set. */
    private readonly monotonicMs: () => number,
    private readonly logger: WorkerLogger | undefined,
  ) {}

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
    await this.store();
  }

  /** `release` is called with the permit's end; a refusal leaves it to the caller. */
  async reserve(integration: Integration, cost: number, maxWaitMs: number, release: () => void = () => undefined, late: () => void = () => undefined): Promise<Permission> {
    const held = await this.of(integration);
    const reservation = held.budget.reserve(cost, this.monotonicMs(), maxWaitMs);
    held.usedAtMs = this.nowMs();
    if (reservation.kind === 'denied') return { ...reservation, untilMs: this.onDatabaseClock(reservation.untilMs) };
    held.isChanged = true;
    const changed = (): void => {
      held.isChanged = true;
    };
    return { kind: 'granted', permit: new Permit({ budget: held.budget, grant: reservation.grant, nowMs: this.monotonicMs, maxWaitMs, release, changed, late }) };
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
    if (held !== undefined && held.limits === limits && this.nowMs() - held.usedAtMs < readAgainAfterMs) return held;
    const reading = this.reading.get(integration.id) ?? this.read(integration, limits).finally(() => this.reading.delete(integration.id));
    this.reading.set(integration.id, reading);
    return reading;
  }

  private async read(integration: Integration, limits: string): Promise<Held> {
    const { windows, places } = limitsOf(integration);
    const stored = windows.length === 0 ? [] : await this.readWindows(integration);
    const before = this.held.get(integration.id);
    const isOwn = before !== undefined && before.limits === limits && stored.every(({ worker }) => worker === this.worker);
    if (isOwn) {
      before.usedAtMs = this.nowMs();
      return before;
    }
    const budget = new Budget(windows);
    // A name may have been another process's before this one started.
    const isForgotten = stored.every(({ worker, storedAtMs }) => worker === this.worker && storedAtMs > this.startedAtMs);
    const nowMs = this.monotonicMs();
    budget.inherit(stored.map((row) => ({ ...row, storedAtMs: nowMs - (this.nowMs() - row.storedAtMs) })), nowMs, isForgotten);
    const held: Held = { budget, places: before !== undefined && before.limits === limits ? before.places : new Places(places), limits, organisationId: integration.organisationId, integrationId: integration.id, usedAtMs: this.nowMs(), isChanged: true };
    this.idle.sweep(this.nowMs());
    this.held.set(integration.id, held);
    return held;
  }

  private async readWindows({ organisationId, id }: Integration): Promise<readonly (StoredWindow & { readonly worker: string | null })[]> {
    const { rows } = await inOrganisations(this.databases, [organisationId], (client) =>
      client.query<Row>(
        `select name, used, (extract(epoch from stored_at) * 1000)::bigint::text as stored_at_ms, worker
         from budget_windows where organisation_id = $1 and integration_id = $2`,
        [organisationId, id],
      ),
    );
    return rows.map((row) => ({ name: row.name, used: row.used, storedAtMs: Number(row.stored_at_ms), worker: row.worker }));
  }

  private async store(): Promise<void> {
    const nowMs = this.nowMs();
    const changed = [...this.held.values()].filter((held) => held.isChanged || nowMs - held.usedAtMs < readAgainAfterMs);
    const rows = changed.flatMap((held) => held.budget.toStore(this.monotonicMs()).map((window) => ({ ...window, organisationId: held.organisationId, integrationId: held.integrationId })));
    for (const held of changed) held.isChanged = false;
    if (rows.length === 0) return;
    rows.sort((left, right) => (left.integrationId < right.integrationId ? -1 : 1));
    await inOrganisations(this.databases, rows.map(({ organisationId }) => organisationId), (client) =>
      client.query(
        `insert into budget_windows (organisation_id, integration_id, name, starts_at, used, worker, stored_at)
         select organisation_id, integration_id, name, clock_timestamp() - make_interval(secs => window_ms / 1000.0), used, $6, clock_timestamp()
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::double precision[], $5::int[]) as w(organisation_id, integration_id, name, window_ms, used)
         on conflict (organisation_id, integration_id, name) do update set starts_at = excluded.starts_at, used = excluded.used, worker = excluded.worker, stored_at = excluded.stored_at`,
        [rows.map((row) => row.organisationId), rows.map((row) => row.integrationId), rows.map((row) => row.name), rows.map((row) => row.windowMs), rows.map((row) => row.used), this.worker],
      ),
    );
  }
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
