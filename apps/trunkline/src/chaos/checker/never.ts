import type { AttemptEvidence, Evidence, IntentEvidence, OrganisationEvidence, RunEvidence } from './evidence.js';
import type { Breach } from './verdict.js';

type Step = OrganisationEvidence['steps'][number];

/** The log counts whole milliseconds. */
const roundingMs = 1;
/** Answers that prove that nothing was written; only whoever wrote the intent may give them. */
const releasing = new Set(['expired', 'throttled', 'auth', 'transient', 'parked']);
const answering = new Set([...releasing, 'ok', 'failed']);

/** What is known of one dispatch. */
interface Dispatch {
  readonly number: number;
  readonly intent: IntentEvidence | undefined;
  readonly attempts: readonly AttemptEvidence[];
}

/**
 * I2 for a step that may `never` be repeated. Each dispatch before the last must have been shut before the next was sent: by a `void` intent, so that nobody begins it,
 * or by the answer of the very worker that had begun it, that nothing was written. One that was begun and never answered is the last, and its step is parked as unknown.
 */
export function checkNever(run: RunEvidence, step: Step, { attempts, commands, intents }: Pick<Evidence, 'attempts' | 'commands' | 'intents'>): readonly Breach[] {
  const sent = (commands.get(run.runId) ?? []).filter((command) => command.kind === 'execute' && command.stepId === step.id);
  const knownOf = (number: number): Dispatch => ({
    number,
    intent: (intents.get(run.runId) ?? []).find((intent) => intent.stepId === step.id && intent.dispatch === number),
    attempts: (attempts.get(run.runId) ?? []).filter((attempt) => attempt.stepId === step.id && attempt.dispatch === number),
  });
  const now = run.steps.find(({ id }) => id === step.id);
  const last = Math.max(now?.dispatch ?? 0, ...sent.map(({ dispatch }) => dispatch));
  const dispatches = Array.from({ length: last }, (_, index) => knownOf(index + 1));
  const sentAtMs = (number: number): number => Math.min(...sent.filter(({ dispatch }) => dispatch > number).map(({ appendedAtMs }) => appendedAtMs));
  const problems = [
    ...dispatches.map(calledAgainstVoid),
    ...dispatches.slice(0, -1).map((dispatch) => whyNotAgain(dispatch, sentAtMs(dispatch.number))),
    endOf(dispatches, now),
  ];
  return problems.flatMap((problem): Breach[] => (problem === null ? [] : [{ invariant: 'I2', says: `step ${step.id} (never) of event ${run.eventId} ${problem}`, runId: run.runId, eventId: run.eventId }]));
}

function whyNotAgain({ number, intent, attempts }: Dispatch, sentAgainAtMs: number): string | null {
  const isInTime = ({ committedAtMs }: { readonly committedAtMs: number }): boolean => committedAtMs <= sentAgainAtMs + roundingMs;
  if (intent === undefined) return `was sent again, and nothing says that dispatch ${number} was never begun`;
  if (intent.state === 'void') return isInTime(intent) ? null : `was sent again ${Math.round(intent.committedAtMs - sentAgainAtMs)} ms before dispatch ${number} was shut`;
  const isReleased = attempts.some((attempt) => releasing.has(attempt.outcome) && attempt.worker === intent.worker && isInTime(attempt));
  if (isReleased) return null;
  const answers = attempts.map(({ outcome }) => outcome).join(', ');
  return `was sent again after dispatch ${number} had been begun and ${answers === '' ? 'never answered' : `came back as ${answers}`}`;
}

/** A `void` is a promise that no call follows. */
function calledAgainstVoid({ number, intent, attempts }: Dispatch): string | null {
  const called = intent?.state === 'void' ? attempts.find(({ startedAtMs }) => startedAtMs !== null) : undefined;
  return called === undefined ? null : `was called under dispatch ${number} by ${called.worker ?? 'somebody'}, although that dispatch was shut`;
}

/** A late `ok` of any dispatch settles the step. */
function endOf(dispatches: readonly Dispatch[], now: RunEvidence['steps'][number] | undefined): string | null {
  const last = dispatches.at(-1);
  if (last?.intent?.state !== 'open' || now === undefined || now.dispatch !== last.number) return null;
  const isAnswered = last.attempts.some(({ outcome }) => answering.has(outcome)) || dispatches.some(({ attempts }) => attempts.some(({ outcome }) => outcome === 'ok'));
  if (isAnswered || (now.state === 'parked' && now.reason === 'unknown')) return null;
  return `was begun under dispatch ${last.number}, nobody knows how it ended, and it is ${now.state}${now.reason === null ? '' : ` (${now.reason})`}, not parked as unknown`;
}
