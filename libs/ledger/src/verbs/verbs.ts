import type { ParkingReason, RunState, StepState } from '@trunkline/chain';

/**
 * What people ask of the ledger, answered from the database by guarded updates; commands that follow are sent by the ledger's own processes.
 * Every verb sees one organisation; what belongs to another is not found (null).
 */
export interface LedgerVerbs {
  listRuns(organisationId: string, filter: RunFilter): Promise<Page<RunSummary>>;
  showRun(organisationId: string, runId: string): Promise<RunDetail | null>;
  replay(organisationId: string, runId: string, request: Replay): Promise<ReplayAnswer | null>;
  cancel(organisationId: string, runId: string): Promise<CancelAnswer | null>;
  settle(organisationId: string, runId: string, step: string, answer: SettleAnswer): Promise<RunDetail | null>;
  listDeadLetters(organisationId: string, filter: DeadLetterFilter): Promise<Page<DeadLetter>>;
  showDeadLetter(organisationId: string, id: string): Promise<DeadLetterDetail | null>;
  redrive(organisationId: string, request: Redrive): Promise<RedriveAnswer>;
  processQueue(organisationId: string): Promise<Readonly<Record<string, number>>>;
  pause(organisationId: string, integrationId: string, along?: AlongWithPause): Promise<void>;
  /** Opens the gate too, whatever had closed it. */
  resume(organisationId: string, integrationId: string, along?: AlongWithPause): Promise<void>;
}

/** Called inside the transaction that pauses or resumes, so that what it writes is there with the change or not at all. */
export type AlongWithPause = (transaction: { query(text: string, values: unknown[]): Promise<unknown> }, before: { readonly paused: boolean }, after: { readonly paused: boolean }) => Promise<void>;

export interface Page<Item> {
  readonly items: readonly Item[];
  readonly next: string | null;
}

export interface RunFilter {
  readonly state?: RunState;
  readonly eventType?: string;
  readonly subject?: string;
  readonly integrationId?: string;
  readonly acceptedAfterMs?: number;
  readonly acceptedBeforeMs?: number;
  readonly limit: number;
  readonly after?: string;
}

export interface RunSummary {
  readonly runId: string;
  readonly rootRunId: string;
  readonly eventType: string;
  readonly source: string;
  readonly eventId: string;
  readonly subject: string | null;
  readonly state: RunState;
  readonly chainVersion: number;
  readonly acceptedAtMs: number;
  readonly finishedAtMs: number | null;
  readonly steps: readonly StepView[];
}

export interface StepView {
  readonly id: string;
  readonly name: string;
  readonly integrationId: string;
  readonly provider: string;
  readonly action: string;
  readonly priority: number;
  readonly state: StepState;
  readonly reason: string | ParkingReason | null;
  readonly dueAtMs: number | null;
  readonly dispatch: number;
  readonly attempts: number;
  readonly externalId: string | null;
  readonly cancelRequested: boolean;
}

export interface AttemptView {
  readonly stepId: string;
  readonly dispatch: number;
  readonly kind: string;
  readonly outcome: string;
  readonly startedAtMs: number | null;
  readonly durationMs: number | null;
  readonly httpStatus: number | null;
  readonly providerRequestId: string | null;
  readonly code: string | null;
  readonly message: string | null;
  readonly recordedAtMs: number;
}

export interface RunDetail extends RunSummary {
  readonly event: { readonly time: string | null; readonly assistantId: string | null; readonly data: Buffer; /** Since then nothing is kept of it but its ids. */ readonly expiredAtMs: number | null };
  readonly attemptList: readonly AttemptView[];
}

export interface Replay {
  readonly version: 'pinned' | 'current';
  readonly fromStep: string | null;
  readonly newEffects: boolean;
  readonly dryRun: boolean;
  /** Repeating a replay under the same key answers with the run it made. */
  readonly idempotencyKey: string | null;
}

export interface ReplayAnswer {
  readonly runId: string | null;
  readonly steps: readonly { readonly id: string; readonly name: string; readonly will: string }[];
}

export interface CancelAnswer {
  readonly state: RunState;
  readonly cancelled: readonly string[];
  readonly requested: readonly string[];
  /** Steps that may have written something already. */
  readonly possiblyWritten: readonly string[];
}

export type SettleAnswer = { readonly kind: 'done'; readonly externalId: string | null } | { readonly kind: 'not-done' };

export interface DeadLetterFilter {
  readonly class?: string;
  readonly code?: string;
  readonly integrationId?: string;
  readonly runId?: string;
  readonly isOpen?: boolean;
  readonly afterMs?: number;
  readonly beforeMs?: number;
  readonly limit: number;
  readonly after?: string;
}

export interface DeadLetter {
  readonly id: string;
  readonly class: string;
  readonly code: string;
  readonly message: string;
  readonly runId: string | null;
  readonly stepId: string | null;
  readonly topic: string | null;
  readonly partition: number | null;
  readonly offset: string | null;
  readonly times: number;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  readonly closedAtMs: number | null;
}

export interface DeadLetterDetail extends DeadLetter {
  readonly record: { readonly key: Buffer | null; readonly value: Buffer | null; readonly headers: readonly (readonly [string, Buffer])[] } | null;
}

export interface Redrive {
  readonly ids?: readonly string[];
  readonly filter: Omit<DeadLetterFilter, 'limit' | 'after'>;
  readonly dryRun: boolean;
  readonly perSecond: number | null;
  readonly force: boolean;
}

export interface RedriveAnswer {
  readonly matched: number;
  readonly redriven: number;
  /** Runs whose ordered steps get new numbers on their subjects: they go to the end of the line. */
  readonly renumbered: number;
  readonly refused: readonly { readonly id: string; readonly reason: string }[];
  readonly byClass: Readonly<Record<string, number>>;
  readonly sample: readonly DeadLetter[];
}
