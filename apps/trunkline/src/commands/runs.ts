import { type Command, Option } from 'commander';
import { query } from '../client/api.js';
import { print, printOne, say, type OutputFormat, type Row } from '../client/output.js';
import { runText, type RunView } from './run-text.js';
import { withApi, withOutput, withPaging } from './options.js';

interface ListOptions {
  readonly output: OutputFormat;
  readonly limit: number;
  readonly after?: string;
  readonly state?: string;
  readonly type?: string;
  readonly subject?: string;
}

interface ReplayOptions {
  readonly output: OutputFormat;
  readonly version: 'pinned' | 'current';
  readonly from?: string;
  readonly newEffects?: boolean;
  readonly dryRun?: boolean;
}

interface Replayed {
  readonly run_id: string | null;
  readonly dry_run: boolean;
  readonly steps: readonly { readonly name: string; readonly will: string }[];
}

interface Cancelled {
  readonly run_id: string;
  readonly state: string;
  readonly cancelled: readonly string[];
  readonly cancel_requested: readonly string[];
  readonly possibly_written: readonly string[];
}

export function addRuns(program: Command): void {
  const runs = program.command('runs').description('what became of events');
  withPaging(runs.command('list'))
    .description('newest first')
    .option('--state <state>', 'running, done, done-with-failures, parked, dead-lettered or cancelled')
    .option('--type <event type>', 'only runs of this event type')
    .option('--subject <subject>', 'only runs about this subject')
    .action(list);
  withOutput(runs.command('show'))
    .description('one run with its timeline: event, steps, attempts, provider request ids, waits')
    .argument('<run>', 'run id')
    .action((id: string, { output }: { output: OutputFormat }) => withApi(async (api) => {
      const { body } = await api.call<RunView>('GET', `/api/runs/${encodeURIComponent(id)}`);
      printOne(body, output, () => runText(body));
    }));
  withOutput(runs.command('replay'))
    .description('run the event again, as a new run linked to the old; what is already done is not written twice')
    .argument('<run>', 'run id')
    .addOption(new Option('--version <version>', 'the chain as it was (pinned) or as it is now (current)').choices(['pinned', 'current']).default('pinned'))
    .option('--from <step>', 'begin at this step')
    .option('--new-effects', 'write everything again, as if for the first time')
    .option('--dry-run', 'only say what would happen')
    .action(replay);
  withOutput(runs.command('cancel'))
    .description('end what has not been sent; what has is settled first')
    .argument('<run>', 'run id')
    .action((id: string, { output }: { output: OutputFormat }) => withApi(async (api) => {
      const { body } = await api.call<Cancelled>('POST', `/api/runs/${encodeURIComponent(id)}/cancel`, {});
      printOne(body, output, () => cancelText(body));
    }));
  withOutput(runs.command('settle'))
    .description('say whether a step that is parked as unknown or ambiguous has had its effect')
    .argument('<run>', 'run id')
    .argument('<step>', 'step id or name')
    .addOption(new Option('--outcome <outcome>', 'what the provider shows').choices(['done', 'not_done']).makeOptionMandatory())
    .option('--external-id <id>', 'its id at the provider; only with done')
    .action((id: string, step: string, { output, outcome, externalId }: { output: OutputFormat; outcome: string; externalId?: string }) => withApi(async (api) => {
      const { body } = await api.call<RunView>('POST', `/api/runs/${encodeURIComponent(id)}/steps/${encodeURIComponent(step)}/settle`, { outcome, external_id: externalId });
      printOne(body, output, () => runText(body));
    }));
}

function list(options: ListOptions): Promise<void> {
  return withApi(async (api) => {
    const { output, limit, after, state, type, subject } = options;
    const { body } = await api.call<{ runs: readonly Row[]; next: string | null }>('GET', `/api/runs${query({ limit, after, state, event_type: type, subject })}`);
    const isFiltered = state !== undefined || type !== undefined || subject !== undefined;
    print(body.runs, ['run_id', 'event_type', 'id', 'state', 'subject', 'accepted_at', 'duration_ms'], output, isFiltered ? 'No run matches; leave a filter out to see more.' : 'No runs yet. Send one: npx --no trunkline send-event conversation_ended --set conversation_id=call-1 --wait');
    if (body.next !== null && output === 'table') say(`More: --after ${body.next}`);
  });
}

function replay(id: string, { output, version, from, newEffects, dryRun }: ReplayOptions): Promise<void> {
  return withApi(async (api) => {
    const { body } = await api.call<Replayed>('POST', `/api/runs/${encodeURIComponent(id)}/replay`, { version, from_step: from, new_effects: newEffects ?? false, dry_run: dryRun ?? false });
    printOne(body, output, () => replayText(body));
  });
}

function replayText({ run_id: runId, dry_run: isDryRun, steps }: Replayed): string {
  const head = isDryRun || runId === null ? 'This is what a replay would do; nothing was started.' : `Started run ${runId}: npx --no trunkline runs show ${runId}`;
  return [head, ...steps.map((step) => `  ${step.name}: ${step.will}`)].join('\n');
}

function cancelText({ run_id: runId, state, cancelled, cancel_requested: requested, possibly_written: written }: Cancelled): string {
  const line = (what: string, steps: readonly string[]): readonly string[] => (steps.length === 0 ? [] : [`  ${what}: ${steps.join(', ')}`]);
  return [`Run ${runId} is ${state}`, ...line('cancelled', cancelled), ...line('end once it is known what became of them', requested), ...line('may have been written all the same', written)].join('\n');
}
