import { TrunklineError, defineError } from '@trunkline/contracts';

/** Exit codes of the command line: 0 ok, then these. */
export const exitCodes = { failed: 1, usage: 2, notFound: 3, auth: 4, unreachable: 5, interrupted: 130 } as const;

export const CommandUsage = defineError('command.usage', { class: 'usage', http: 400, title: 'The command cannot be carried out as typed', fix: 'Run it with --help.' });
export const OutcomeFailed = defineError('command.outcome_failed', { class: 'data', http: 422, title: 'It did not come out as asked', fix: 'Look at it with `npx --no trunkline runs show <run id>`.' });
export const BenchNotStarted = defineError('command.bench_not_started', { class: 'unavailable', http: 503, title: 'The platform to be measured did not start', fix: 'Check --driver, --kafka and KAFKA_CLIENT; `npx --no trunkline doctor` looks at the rest.' });
export const BenchNotComparable = defineError('command.bench_not_comparable', { class: 'usage', http: 400, title: 'These cannot be set side by side', fix: 'Save two runs of the same scenario, as in `npx --no trunkline bench light --save a.json`, and compare those files.' });
export const NoTarget = defineError('command.no_target', { class: 'unavailable', http: 503, title: 'No Trunkline to talk to', fix: 'Start one with `npm start`, or set TRUNKLINE_URL and TRUNKLINE_API_KEY.' });
export const Unreachable = defineError('command.unreachable', { class: 'unavailable', http: 503, title: 'Trunkline does not answer', fix: 'Start it with `npm start`, or check TRUNKLINE_URL; `npx --no trunkline doctor` looks at the rest.' });
export const UserMissing = defineError('command.user_missing', { class: 'not-found', http: 404, title: 'Nobody has an account with this address', fix: 'List members with `npx --no trunkline users list`.' });

/** What the gateway answered when it refused, as its problem document says (RFC 9457). */
export class ApiProblem extends Error {
  override readonly name = 'ApiProblem';
  constructor(
    readonly status: number,
    readonly code: string,
    title: string,
    readonly detail: string,
    readonly fix: string,
  ) {
    super(title);
  }
}

/** The exit code of whatever was thrown. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof ApiProblem) return exitCodeOfStatus(error.status);
  if (!(error instanceof TrunklineError)) return exitCodes.failed;
  if (error.definition.class === 'usage') return exitCodes.usage;
  if (error.definition.class === 'not-found') return exitCodes.notFound;
  return error.definition.class === 'unavailable' ? exitCodes.unreachable : exitCodes.failed;
}

function exitCodeOfStatus(status: number): number {
  if (status === 401 || status === 403) return exitCodes.auth;
  if (status === 404) return exitCodes.notFound;
  if (status === 502 || status === 503 || status === 504) return exitCodes.unreachable;
  return status === 400 || status === 422 || status === 415 ? exitCodes.usage : exitCodes.failed;
}

/** Two lines for a person: what happened, and the next thing to try. */
export function explain(error: unknown): string {
  if (error instanceof ApiProblem) return `${error.message}${error.detail ? `: ${error.detail}` : ''} (${error.code})\n→ ${error.fix}`;
  if (error instanceof TrunklineError) return `${error.message} (${error.code})\n→ ${error.definition.fix}`;
  return `${error instanceof Error ? error.message : String(error)}\n→ If this repeats, run \`npx --no trunkline doctor\` and look at .trunkline/trunkline.log.`;
}
