import { randomUUID } from 'node:crypto';
import type { Happening, Run } from '@trunkline/chain';
import { failpoint } from '@trunkline/failpoints';
import { inOrganisations, type Databases } from '@trunkline/storage';
import { measuredClock, type LedgerClock } from '../clock.js';
import { IntegrationNotFound, RunChanged, StepNotAsked } from '../errors.js';
import type { ActionCatalogue } from '../flush/catalogue.js';
import type { Decision } from '../flush/decision.js';
import type { FlushSurroundings } from '../flush/surroundings.js';
import { FlushTransaction } from '../flush/transaction.js';
import { Gates } from '../gate/gates.js';
import { ChainBook } from '../plan/chain-book.js';
import { compileInputs } from '../plan/compile-inputs.js';
import type { CompileChain } from '../plan/compile.js';
import { settingsFrom, type LedgerSettings } from '../settings.js';
import { listLetters, showLetter } from './letter-queries.js';
import { redrive } from './redrive.js';
import { replay } from './replay.js';
import { listRuns, showRun } from './run-queries.js';
import type { AlongWithPause, CancelAnswer, LedgerVerbs, RunDetail, SettleAnswer } from './verbs.js';

export interface LedgerVerbsOptions {
  readonly databases: Pick<Databases, 'tenant' | 'system'>;
  readonly catalogue: ActionCatalogue;
  readonly compile?: CompileChain;
  readonly clock?: LedgerClock;
  readonly random?: () => number;
  readonly newId?: () => string;
  readonly settings?: Partial<LedgerSettings>;
}

const repeats = 20;

export function createLedgerVerbs(options: LedgerVerbsOptions): LedgerVerbs {
  const { databases, catalogue } = options;
  const asking = new Asking(options);
  const newId = options.newId ?? randomUUID;
  return {
    listRuns: (organisationId, filter) => listRuns(databases, organisationId, filter),
    showRun: (organisationId, runId) => showRun(databases, organisationId, runId),
    replay: async (organisationId, runId, request) => {
      const answer = await replay({ databases, catalogue, newId }, organisationId, runId, request);
      failpoint('verbs.afterReplay');
      return answer;
    },
    cancel: (organisationId, runId) => asking.cancel(organisationId, runId),
    settle: (organisationId, runId, step, answer) => asking.settle(organisationId, runId, step, answer),
    listDeadLetters: (organisationId, filter) => listLetters(databases, organisationId, filter),
    showDeadLetter: (organisationId, id) => showLetter(databases, organisationId, id),
    redrive: (organisationId, request) => redrive(databases, organisationId, request),
    processQueue: (organisationId) => processQueue(databases, organisationId),
    pause: (organisationId, integrationId, along) => setPaused(databases, organisationId, integrationId, true, along),
    resume: (organisationId, integrationId, along) => setPaused(databases, organisationId, integrationId, false, along),
  };
}

/** Verbs that change a run go the same way as every other change of it: decided by the engine, written under `rev`. Nothing is sent from here. */
class Asking {
  private readonly around: FlushSurroundings;
  private measured: Promise<void> | null = null;

  constructor(private readonly options: LedgerVerbsOptions) {
    const random = options.random ?? Math.random;
    const settings = settingsFrom(options.settings);
    this.around = {
      databases: options.databases,
      clock: options.clock ?? measuredClock(options.databases, null),
      random,
      newId: options.newId ?? randomUUID,
      instance: 'verbs',
      settings,
      catalogue: options.catalogue,
      chains: new ChainBook(options.compile ?? compileInputs),
      gates: new Gates(settings.gateCap, random),
      runs: { get: () => undefined, set: () => undefined, delete: () => undefined },
      mayAdmit: false,
    };
  }

  async cancel(organisationId: string, runId: string): Promise<CancelAnswer | null> {
    const decision = await this.ask(organisationId, runId, { kind: 'cancel' });
    const detail = decision?.run ?? (await this.asItStands(organisationId, runId));
    if (detail === null) return null;
    const before = new Map((decision?.loaded.row.run.steps ?? []).map((step) => [step.id, step]));
    return {
      state: detail.state,
      cancelled: detail.steps.filter((step) => step.state === 'cancelled' && before.get(step.id)?.state !== 'cancelled').map((step) => step.id),
      requested: detail.steps.filter((step) => step.cancelRequested && step.state !== 'cancelled').map((step) => step.id),
      possiblyWritten: detail.steps.filter((step) => step.state === 'cancelled' && step.reason === 'possibly-written').map((step) => step.id),
    };
  }

  async settle(organisationId: string, runId: string, step: string, answer: SettleAnswer): Promise<RunDetail | null> {
    const detail = await showRun(this.options.databases, organisationId, runId);
    const stepId = detail?.steps.find((candidate) => candidate.id === step || candidate.name === step)?.id;
    if (stepId === undefined) return null;
    const decision = await this.ask(organisationId, runId, { kind: 'answered-by-person', stepId, answer });
    if (decision === null) throw StepNotAsked.because(`step ${step} of run ${runId}`);
    return showRun(this.options.databases, organisationId, runId);
  }

  /** Null when the happening changed nothing. */
  private async ask(organisationId: string, runId: string, happening: Happening): Promise<Decision | null> {
    await this.ensureClock();
    for (let turn = 0; turn < repeats; turn += 1) {
      const committed = await new FlushTransaction(this.around, [{ kind: 'verb', organisationId, runId, happening }], []).run();
      if (committed.lost.length === 0) return committed.written[0] ?? null;
    }
    throw RunChanged.because(`run ${runId} changed ${repeats} times while it was decided`);
  }

  private async asItStands(organisationId: string, runId: string): Promise<Pick<Run, 'state'> & { readonly steps: readonly { readonly id: string; readonly state: string; readonly reason: string | null; readonly cancelRequested: boolean }[] } | null> {
    return showRun(this.options.databases, organisationId, runId);
  }

  private ensureClock(): Promise<void> {
    this.measured ??= this.around.clock.measure().catch((error: unknown) => {
      this.measured = null;
      throw error;
    });
    return this.measured;
  }
}

/** Makes deferred and parked work due now. Those parked `unknown` or `ambiguous` have no row here and stay (P4). */
async function processQueue(databases: Pick<Databases, 'system'>, organisationId: string): Promise<Readonly<Record<string, number>>> {
  const { rows } = await databases.system.query<{ is_parked: boolean }>(
    `update due_work set due_at = clock_timestamp() where organisation_id = $1 and kind = 'wake' returning give_up_at is null as is_parked`,
    [organisationId],
  );
  const parked = rows.filter((row) => row.is_parked).length;
  return { deferred: rows.length - parked, parked };
}

/** `updated_at` stays: it says when credentials may have changed. Resuming opens the gate as well. */
async function setPaused(databases: Pick<Databases, 'system'>, organisationId: string, integrationId: string, paused: boolean, along?: AlongWithPause): Promise<void> {
  await inOrganisations(databases, [organisationId], async (client) => {
    const { rows } = await client.query<{ readonly paused: boolean }>('select paused from integrations where organisation_id = $1 and id = $2 for update', [organisationId, integrationId]);
    const [before] = rows;
    if (before === undefined) throw IntegrationNotFound.because(integrationId);
    await client.query('update integrations set paused = $3 where organisation_id = $1 and id = $2', [organisationId, integrationId, paused]);
    if (!paused) await client.query('delete from gates where organisation_id = $1 and integration_id = $2', [organisationId, integrationId]);
    await along?.(client, before, { paused });
  });
}
