import type { CallWindowEvidence, CommandEvidence, Evidence, PauseEvidence } from './evidence.js';
import type { Breach, Finding } from './verdict.js';

/** A limit that was never reached to this part has not been put to the test. */
export const testedShare = 0.9;
/**
 * A ledger looks at gates once a second, and lets nothing through on what it read more than ten looks before (it may have been frozen since); two seconds more for clocks.
 * The overshoot of one flush that a pause allows lies within.
 */
export const pauseKnownWithinMs = 12_000;

/** How far one limit was used. */
export interface FullestWindow {
  readonly provider: string;
  readonly pathPrefix: string;
  readonly limit: number;
  readonly windowMs: number;
  readonly most: number;
  readonly fromMs: number;
  readonly isTested: boolean;
}

export function fullestWindows(calls: readonly CallWindowEvidence[]): readonly FullestWindow[] {
  return calls.map((window) => {
    const { provider, pathPrefix, limit, windowMs } = window;
    const { most, fromMs } = fullest(window);
    return { provider, pathPrefix, limit, windowMs, most, fromMs, isTested: most >= testedShare * limit };
  });
}

/** I7: in every window of that length, wherever it begins; and a pause is a limit of nothing new. */
export function checkLimits({ calls, commands, pauses }: Pick<Evidence, 'calls' | 'commands' | 'pauses'>): Finding {
  const windows = fullestWindows(calls);
  const tooMany = windows.flatMap(({ provider, pathPrefix, limit, windowMs, most, fromMs }): Breach[] => {
    if (most <= limit) return [];
    return [{ invariant: 'I7', says: `${provider} ${pathPrefix} got ${most} calls in the ${windowMs / 1000} s from ${new Date(fromMs).toISOString()}; ${limit} are allowed`, runId: null, eventId: null }];
  });
  const told = windows.map(({ provider, most, limit, windowMs, isTested }) => `${provider} at most ${most} of ${limit} in ${windowMs / 1000} s${isTested ? '' : ' (not put to the test)'}`);
  const note = [told.join(', ') || 'no limits', ...(pauses.length === 0 ? [] : [`${pauses.length} pauses`])].join('; ');
  return { invariant: 'I7', checked: calls.reduce((sum, { atMs }) => sum + atMs.length, 0), note, breaches: [...tooMany, ...sentThoughPaused(commands, pauses)] };
}

function fullest({ atMs, windowMs }: CallWindowEvidence): { readonly most: number; readonly fromMs: number } {
  let [most, fromMs, first] = [0, 0, 0];
  for (let last = 0; last < atMs.length; last += 1) {
    while ((atMs[last] ?? 0) - (atMs[first] ?? 0) >= windowMs) first += 1;
    if (last - first + 1 > most) [most, fromMs] = [last - first + 1, atMs[first] ?? 0];
  }
  return { most, fromMs };
}

/** By the time at which a step first passed its gate: what had passed before may lie in the log until its ledger comes back. */
function sentThoughPaused(commands: Evidence['commands'], pauses: readonly PauseEvidence[]): readonly Breach[] {
  if (pauses.length === 0) return [];
  const isOf = ({ integrationId, fromMs, untilMs }: PauseEvidence, command: CommandEvidence): boolean =>
    command.integrationId === integrationId && command.kind === 'execute' && command.dispatch === 1 && command.firstAdmittedAtMs > fromMs + pauseKnownWithinMs && command.firstAdmittedAtMs < untilMs;
  return [...commands].flatMap(([runId, sent]) => sent.flatMap((command): Breach[] => {
    const pause = pauses.find((one) => isOf(one, command));
    if (pause === undefined) return [];
    return [{ invariant: 'I7', says: `step ${command.stepId} of run ${runId} was let through to ${pause.name} ${Math.round(command.firstAdmittedAtMs - pause.fromMs)} ms after that had been paused`, runId, eventId: null }];
  }));
}
