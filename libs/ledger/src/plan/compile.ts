import type { Json, PlannedStep, Prepared } from '@trunkline/chain';

/** What conditions and inputs may read of the event; `now` is the accepted time (delivery §3). */
export interface EventView {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject: string | null;
  readonly time: string | null;
  readonly data: Json;
}

/** A chain version made ready to run, once per version. */
export interface CompiledChain {
  prepare(stepId: string, event: EventView, results: Readonly<Record<string, Json>>, acceptedAtMs: number): Prepared;
}

export type CompileChain = (steps: readonly PlannedStep[]) => CompiledChain;
