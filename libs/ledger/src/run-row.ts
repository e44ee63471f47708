import type { Json, Run, RunState, StepProgress } from '@trunkline/chain';

/** A run as its row holds it; the event and the plan are elsewhere. */
export interface RunRow {
  readonly organisationId: string;
  readonly runId: string;
  readonly rootRunId: string;
  readonly rootAcceptedAtMs: number;
  readonly eventType: string;
  readonly subjectHash: string | null;
  readonly digest: string;
  readonly chain: ChainRef;
  readonly hasReplays: boolean;
  readonly rev: number;
  readonly run: Run;
}

export interface ChainRef {
  readonly eventType: string;
  readonly assistantId: string;
  /** 0: no chain was in force. */
  readonly version: number;
}

export function keyOf(run: { readonly organisationId: string; readonly runId: string }): string {
  return `${run.organisationId}/${run.runId}`;
}

interface NarrowStep {
  readonly id: string;
  readonly state: StepProgress['state'];
  readonly dispatch?: number;
  readonly attempts?: number;
  readonly reason?: string;
  readonly due?: number;
  readonly ready?: number;
  readonly first?: number;
  readonly before?: number;
  readonly external?: string;
  readonly cancel?: true;
  readonly lookUps?: number;
  readonly looked?: number;
  readonly ranked?: StepProgress['ranked'];
}

/** Column `steps`: how each step stands, without payloads; what is 0, null or false is left out. Every character that PostgreSQL text cannot hold is escaped by JSON. */
export function encodeSteps(steps: readonly StepProgress[]): string {
  return JSON.stringify(steps.map((step): NarrowStep => ({
    id: step.id,
    state: step.state,
    dispatch: step.dispatch || undefined,
    attempts: step.attempts || undefined,
    reason: step.reason ?? undefined,
    due: step.dueAtMs ?? undefined,
    ready: step.firstReadyAtMs ?? undefined,
    first: step.firstDispatchedAtMs ?? undefined,
    before: step.startBeforeMs ?? undefined,
    external: step.externalId ?? undefined,
    cancel: step.cancelRequested || undefined,
    lookUps: step.lookUps || undefined,
    looked: step.lastLookUpAtMs ?? undefined,
    ranked: step.ranked === 'none' ? undefined : step.ranked,
  })));
}

/** Column `carried`: inputs that may be sent again (the same bytes each time) and results that later steps or a replay may read. */
export function encodeCarried(steps: readonly StepProgress[]): string {
  const carried = steps.flatMap((step): [string, string | null, Json][] => {
    const input = step.state === 'done' || step.state === 'skipped' || step.state === 'cancelled' ? null : step.input;
    return input === null && step.result === null ? [] : [[step.id, input, step.result]];
  });
  return carried.length === 0 ? '' : JSON.stringify(carried);
}

export function decodeRun(state: RunState, acceptedAtMs: number, steps: string, carried: string): Run {
  const payloads = new Map((carried === '' ? [] : (JSON.parse(carried) as [string, string | null, Json][])).map(([id, input, result]) => [id, { input, result }]));
  return {
    state,
    acceptedAtMs,
    steps: (JSON.parse(steps) as NarrowStep[]).map((step): StepProgress => ({
      id: step.id,
      state: step.state,
      dispatch: step.dispatch ?? 0,
      attempts: step.attempts ?? 0,
      reason: step.reason ?? null,
      dueAtMs: step.due ?? null,
      firstReadyAtMs: step.ready ?? null,
      firstDispatchedAtMs: step.first ?? null,
      startBeforeMs: step.before ?? null,
      input: payloads.get(step.id)?.input ?? null,
      result: payloads.get(step.id)?.result ?? null,
      externalId: step.external ?? null,
      cancelRequested: step.cancel ?? false,
      lookUps: step.lookUps ?? 0,
      lastLookUpAtMs: step.looked ?? null,
      ranked: step.ranked ?? 'none',
    })),
  };
}
