import pc from 'picocolors';
import type { RunState, StepState } from '@trunkline/chain';

/** A finished run as one line is drawn from it. */
export interface DrawnRun {
  readonly eventId: string;
  readonly state: RunState;
  readonly acceptedAtMs: number;
  readonly what: string;
  readonly steps: readonly DrawnStep[];
}

export interface DrawnStep {
  readonly name: string;
  readonly state: StepState;
  readonly externalId: string | null;
  readonly reason: string | null;
  /** From acceptance to the end of the step. */
  readonly afterMs: number | null;
}

const marks: Readonly<Record<StepState, (text: string) => string>> = {
  waiting: pc.dim, ready: pc.dim, sent: pc.cyan, deferred: pc.yellow, unknown: pc.yellow, parked: pc.magenta,
  done: pc.green, skipped: pc.dim, 'dead-lettered': pc.red, cancelled: pc.dim,
};

/** `12:00:01  1-870704831  Bulky Items        genesys ✓ 4f2a… 31 ms → techone ✓ WR-000012 84 ms → salesforce ✓ 00T… 120 ms` */
export function runLine(run: DrawnRun): string {
  const time = new Date(run.acceptedAtMs).toTimeString().slice(0, 8);
  return `${pc.dim(time)}  ${run.eventId.padEnd(12)}  ${run.what.slice(0, 22).padEnd(22)}  ${run.steps.map(stepText).join(pc.dim(' → '))}`;
}

function stepText(step: DrawnStep): string {
  const mark = marks[step.state];
  if (step.state === 'done') return `${step.name} ${mark('✓')} ${shorten(step.externalId)}${step.afterMs === null ? '' : pc.dim(` ${step.afterMs} ms`)}`;
  return `${step.name} ${mark(step.state)}${step.reason === null ? '' : pc.dim(` (${step.reason})`)}`;
}

function shorten(id: string | null): string {
  if (id === null) return '–';
  return id.length <= 20 ? id : `${id.slice(0, 8)}…`;
}
