import { commandTopicOf, encodeCommand } from '@trunkline/contracts';
import type { EventLog } from '@trunkline/event-log';
import { failpoint } from '@trunkline/failpoints';
import { inOrganisations, type Databases } from '@trunkline/storage';
import type { PoolClient } from 'pg';
import { commandOf } from './flush/command.js';
import type { OutgoingCommand } from './flush/decision.js';
import { loadRuns } from './flush/load.js';
import type { FlushSurroundings } from './flush/surroundings.js';
import type { OutboxItem } from './flush/write.js';
import { keyOf } from './run-row.js';

interface OutboxSurroundings extends Pick<FlushSurroundings, 'clock' | 'chains' | 'gates' | 'catalogue' | 'settings'> {
  readonly databases: Pick<Databases, 'system'>;
  readonly eventLog: Pick<EventLog, 'append'>;
  report(error: unknown, act: string): void;
}

interface DispatchRow {
  readonly id: string;
  readonly items: string;
}

/** Sends commands after the transaction that decided them; what a crash left unsent any instance sends from the stored input (delivery §4). Sending twice is harmless. */
export class Outbox {
  private readonly sent = new Set<string>();
  private readonly sending = new Set<Promise<void>>();

  constructor(private readonly around: OutboxSurroundings) {}

  send(dispatchId: string, commands: readonly OutgoingCommand[]): void {
    const work = this.append(commands).then(
      () => {
        failpoint('ledger.afterSend');
        this.sent.add(dispatchId);
      },
      // Left unsent: the row brings it back.
      (error: unknown) => this.around.report(error, 'sending commands'),
    );
    this.sending.add(work);
    void work.finally(() => this.sending.delete(work));
  }

  /** Sent since the last flush; the next one marks them. */
  toMark(): readonly string[] {
    return [...this.sent];
  }

  marked(ids: readonly string[]): void {
    for (const id of ids) this.sent.delete(id);
  }

  async settled(): Promise<void> {
    while (this.sending.size > 0) await Promise.all(this.sending);
  }

  /** Marks what no flush has marked yet, so that nobody takes it for unsent. */
  async markIdle(): Promise<void> {
    const ids = this.toMark();
    if (ids.length === 0) return;
    await this.around.databases.system.query('update dispatches set sent_at = clock_timestamp() where id = any ($1::uuid[]) and sent_at is null', [ids]);
    this.marked(ids);
  }

  /** Leases what is unsent for too long, whoever decided it; no transaction is held while sending. */
  async recover(): Promise<number> {
    await this.markIdle();
    const { settings, databases } = this.around;
    const { rows } = await databases.system.query<DispatchRow>(
      `update dispatches d set leased_until = clock_timestamp() + make_interval(secs => $1::float8 / 1000)
        from (select id from dispatches where sent_at is null and created_at < statement_timestamp() - make_interval(secs => $2::float8 / 1000) and coalesce(leased_until, '-infinity') < clock_timestamp() order by created_at limit 50 for update skip locked) u
        where d.id = u.id returning d.id, d.items`,
      [settings.leaseMs, settings.resendAfterMs],
    );
    if (rows.length === 0) return 0;
    failpoint('outbox.afterLease');
    const items = rows.flatMap((row) => itemsOf(row.items));
    const commands = await inOrganisations(databases, items.map((item) => item.o), (client) => this.rebuild(client, items));
    await this.append(commands);
    failpoint('outbox.afterResend');
    await databases.system.query('update dispatches set sent_at = clock_timestamp() where id = any ($1::uuid[]) and sent_at is null', [rows.map((row) => row.id)]);
    return commands.length;
  }

  /** From the rows as they stand: what has been answered meanwhile, or may no longer be started, is left out. */
  private async rebuild(client: PoolClient, items: readonly OutboxItem[]): Promise<OutgoingCommand[]> {
    const { chains, gates, clock, catalogue } = this.around;
    const nowMs = clock.nowMs();
    const runs = await loadRuns(client, [...new Map(items.map((item) => [`${item.o}/${item.r}`, { organisationId: item.o, runId: item.r }])).values()]);
    await chains.readPinned(client, [...runs.values()].map(({ row }) => ({ organisationId: row.organisationId, ref: row.chain })));
    await gates.read(client, [...new Map(items.map((item) => [item.i, { organisationId: item.o, integrationId: item.i }])).values()], nowMs);
    return items.flatMap((item): OutgoingCommand[] => {
      const loaded = runs.get(keyOf({ organisationId: item.o, runId: item.r }));
      const step = loaded?.row.run.steps.find((candidate) => candidate.id === item.s);
      const planned = loaded === undefined ? undefined : chains.pinnedAs(item.o, loaded.row.chain)?.plan.steps.find((candidate) => candidate.id === item.s);
      const wanted = item.k === 'execute' ? 'sent' : 'unknown';
      if (loaded === undefined || step === undefined || planned === undefined || step.state !== wanted || step.dispatch !== item.d || item.b <= nowMs) return [];
      const { facts } = gates.of({ organisationId: item.o, integrationId: item.i });
      const family = facts === null ? undefined : catalogue.find(planned.provider, planned.action, facts.settings)?.family;
      if (family === undefined) return [];
      return [{ family, command: commandOf(loaded.row, planned, step, { kind: item.k, dispatch: item.d, startBeforeMs: item.b, traceparent: loaded.event.traceparent }) }];
    });
  }

  private async append(commands: readonly OutgoingCommand[]): Promise<void> {
    const byFamily = Map.groupBy(commands, ({ family }) => family);
    await Promise.all([...byFamily].map(([family, group]) => this.around.eventLog.append(commandTopicOf(family), group.map(({ command }) => encodeCommand(command)))));
  }
}

export function itemsOf(text: string): OutboxItem[] {
  return JSON.parse(text) as OutboxItem[];
}
