/** What may happen in a rehearsal; `--only` names some of it. */
export const happeningKinds = ['kill', 'freeze', 'restart', 'provider-faults', 'pause'] as const;
export const targetGroups = ['gateway', 'ledger', 'workers', 'broker', 'database', 'simulators'] as const;
export type HappeningKind = (typeof happeningKinds)[number];
export type TargetGroup = (typeof targetGroups)[number];

export interface ChaosOptions {
  readonly driver: 'kafka' | 'postgres';
  readonly events: number;
  readonly rate: number;
  /** How long things happen; the load lasts `events / rate`. */
  readonly durationMs: number;
  readonly kills: number;
  readonly seed: number;
  readonly kinds: readonly HappeningKind[];
  readonly targets: readonly TargetGroup[];
  /** A kill waits until so many runs are in flight. */
  readonly inFlight: number;
  readonly drainMs: number;
  readonly limits: { readonly techonePerMinute: number; readonly rehearsalPerWindow: number };
  readonly startWithinMs?: number;
  readonly keep?: string;
  readonly json?: string;
  readonly appsRoot?: string;
  /** In the place of the drawn schedule. */
  readonly scheduleFile?: string;
}
