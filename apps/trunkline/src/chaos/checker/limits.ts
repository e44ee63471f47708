import type { AttemptEvidence, CallWindowEvidence, CommandEvidence, Evidence, PauseEvidence } from './evidence.js';
import type { Breach, Finding } from './verdict.js';

/** A limit that was never reached to this part has not been put to the test. */
export const testedShare = 0.9;
/**
 * A ledger looks at gates once a second, and lets nothing through on what it read more than ten looks before (it may have been frozen since); two seconds more for clocks.
 * The overshoot of one flush that a pause allows lies within.
 */
export const pauseKnownWithinMs = 12_000;
/** What had waited behind a pause is let through soon after it; where nothing is, nothing had waited. */
const resumedWithinMs = 60_000;

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
export function checkLimits({ calls, commands, attempts, pauses }: Pick<Evidence, 'calls' | 'commands' | 'attempts' | 'pauses'>): Finding {
  const windows = fullestWindows(calls);
  const tooMany = windows.flatMap(({ provider, pathPrefix, limit, windowMs, most, fromMs }): Breach[] => {
    if (most <= limit) return [];
    return [{ invariant: 'I7', says: `${provider} ${pathPrefix} got ${most} calls in the ${windowMs / 1000} s from ${new Date(fromMs).toISOString()}; ${limit} are allowed`, runId: null, eventId: null }];
  });
  const told = windows.map(({ provider, most, limit, windowMs, isTested }) => `${provider} at most ${most} of ${limit} in ${windowMs / 1000} s${isTested ? '' : ' (not put to the test)'}`);
  const note = [told.join(', ') || 'no limits', ...pauses.map((pause) => pauseInWords(commands, pause))].join('; ');
  return { invariant: 'I7', checked: calls.reduce((sum, { atMs }) => sum + atMs.length, 0), note, breaches: [...tooMany, ...sentThoughPaused(commands, attempts, pauses)] };
}

function fullest({ atMs, windowMs }: CallWindowEvidence): { readonly most: number; readonly fromMs: number } {
  let [most, fromMs, first] = [0, 0, 0];
  for (let last = 0; last < atMs.length; last += 1) {
    while ((atMs[last] ?? 0) - (atMs[first] ?? 0) >= windowMs) first += 1;
    if (last - first + 1 > most) [most, fromMs] = [last - first + 1, atMs[first] ?? 0];
  }
  return { most, fromMs };
}

function pauseInWords(commands: Evidence['commands'], { integrationId, name, fromMs, untilMs }: PauseEvidence): string {
  const letThrough = [...commands.values()].flat().filter((command) => command.integrationId === integrationId && isFirst(command) && command.firstAdmittedAtMs >= untilMs && command.firstAdmittedAtMs < untilMs + resumedWithinMs).length;
  return `${name} paused for ${Math.round((untilMs - fromMs) / 1000)} s, let through in the minute after: ${letThrough}${letThrough === 0 ? ' (not put to the test)' : ''}`;
}

const isFirst = ({ kind, dispatch }: CommandEvidence): boolean => kind === 'execute' && dispatch === 1;

function sentThoughPaused(commands: Evidence['commands'], attempts: Evidence['attempts'], pauses: readonly PauseEvidence[]): readonly Breach[] {
  if (pauses.length === 0) return [];
  return [...commands].flatMap(([runId, sent]) => sent.flatMap((command): Breach[] => {
    if (command.kind !== 'execute') return [];
    const { fromMs: sinceMs, untilMs: byMs } = passedGate(command, attempts.get(runId) ?? []);
    const pause = pauses.find(({ integrationId, fromMs, untilMs }) => command.integrationId === integrationId && sinceMs > fromMs + pauseKnownWithinMs && byMs < untilMs);
    if (pause === undefined) return [];
    const what = isFirst(command) ? 'let through' : 'let through again';
    return [{ invariant: 'I7', says: `step ${command.stepId} of run ${runId} was ${what} to ${pause.name} ${Math.round(sinceMs - pause.fromMs)} ms after that had been paused`, runId, eventId: null }];
  }));
}

/**
 * When a command was let through. Its first one says so: what had passed before a pause may lie in the log until its ledger comes back.
 * Of those after it no record does: they were let through when the answer they follow had been written, and before they were appended. One that follows an answer from before the pause is therefore not seen here.
 */
function passedGate(command: CommandEvidence, attempts: readonly AttemptEvidence[]): { readonly fromMs: number; readonly untilMs: number } {
  if (isFirst(command)) return { fromMs: command.firstAdmittedAtMs, untilMs: command.firstAdmittedAtMs };
  const answered = attempts.filter(({ stepId, dispatch }) => stepId === command.stepId && dispatch === command.dispatch - 1).map(({ committedAtMs }) => committedAtMs);
  return { fromMs: answered.length === 0 ? command.firstAdmittedAtMs : Math.min(...answered), untilMs: command.appendedAtMs };
}
