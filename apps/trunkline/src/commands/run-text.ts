/** A run as `GET /api/runs/:id` gives it, as far as the text shows it. */
export interface RunView {
  readonly run_id: string;
  readonly state: string;
  readonly chain_version: number | null;
  readonly event: { readonly type: string; readonly source: string; readonly id: string; readonly subject: string | null };
  readonly accepted_at: string;
  readonly finished_at: string | null;
  readonly steps: readonly StepView[];
}

export interface StepView {
  readonly id: string;
  readonly name: string;
  readonly provider: string;
  readonly action: string;
  readonly state: string;
  readonly reason: string | null;
  readonly due_at: string | null;
  readonly external_id: string | null;
  readonly attempts: readonly AttemptView[];
}

export interface AttemptView {
  readonly dispatch: number;
  readonly outcome: string;
  readonly started_at: string | null;
  readonly duration_ms: number | null;
  readonly http_status: number | null;
  readonly provider_request_id: string | null;
  readonly code?: string | null;
  readonly message?: string | null;
}

/** What a person can do about a wait that does not end by itself. */
const waysOut: Readonly<Record<string, string>> = {
  reconnect: 'the provider refused the credentials: npx --no trunkline integrations reconnect <integration>',
  paused: 'npx --no trunkline integrations resume <integration>',
  unknown: 'look at the provider, then: npx --no trunkline runs settle <run> <step> --outcome done|not_done',
  ambiguous: 'several records fit; look at the provider, then: npx --no trunkline runs settle <run> <step> --outcome done --external-id <id>',
};

/** The timeline of one run, for a person: what happened, why it waits, and until when. */
export function runText(run: RunView): string {
  const lines = [
    `Run ${run.run_id}: ${run.state}${run.chain_version ? ` (chain version ${run.chain_version})` : ' (no chain was in force)'}`,
    `Event ${run.event.type} ${run.event.id} of ${run.event.source}${run.event.subject === null ? '' : `, about ${run.event.subject}`}`,
    `Accepted ${run.accepted_at}${run.finished_at === null ? '' : `, finished ${run.finished_at} (${Date.parse(run.finished_at) - Date.parse(run.accepted_at)} ms)`}`,
    '',
    ...run.steps.flatMap((step) => stepLines(step)),
  ];
  return lines.join('\n');
}

function stepLines(step: StepView): readonly string[] {
  const waits = [step.reason, step.due_at === null ? null : `until ${step.due_at}`].filter((part) => part !== null).join(', ');
  const head = `${step.state.padEnd(13)} ${step.name} (${step.provider} ${step.action})${step.external_id === null ? '' : ` → ${step.external_id}`}${waits === '' ? '' : `  ${waits}`}`;
  const wayOut = step.state === 'done' || step.reason === null ? undefined : waysOut[step.reason];
  return [head, ...(wayOut === undefined ? [] : [`                → ${wayOut}`]), ...step.attempts.map((attempt) => attemptLine(attempt))];
}

function attemptLine(attempt: AttemptView): string {
  const call = [
    attempt.started_at,
    attempt.duration_ms === null ? null : `${attempt.duration_ms} ms`,
    attempt.http_status === null ? null : `HTTP ${attempt.http_status}`,
    attempt.provider_request_id === null ? null : `request ${attempt.provider_request_id}`,
    attempt.code ?? null,
    attempt.message ?? null,
  ];
  return `                #${attempt.dispatch} ${attempt.outcome}  ${call.filter((part) => part !== null && part !== '').join(' · ')}`;
}
