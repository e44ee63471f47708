import type { Command } from 'commander';
import { query } from '../client/api.js';
import { print, printOne, say, type OutputFormat, type Row } from '../client/output.js';
import { runText, type RunView } from './run-text.js';
import { withApi, withOutput, withPaging, type Page } from './options.js';

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
  readonly plan: 'pinned' | 'current';
  readonly from?: string;
  readonly newEffects?: boolean;
  readonly dryRun?: boolean;
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
    .option('--plan <version>', 'the chain as it was (pinned) or as it is now (current)', 'pinned')
    .option('--from <step>', 'begin at this step')
    .option('--new-effects', 'write everything again, as if for the first time')
    .option('--dry-run', 'only say what would happen')
    .action(replay);
  withOutput(runs.command('cancel'))
    .description('end what has not been sent; what has is settled first')
    .argument('<run>', 'run id')
    .action((id: string, { output }: { output: OutputFormat }) => withApi(async (api) => {
      const { body } = await api.call<Row>('POST', `/api/runs/${encodeURIComponent(id)}/cancel`, {});
      printOne(body, output, () => JSON.stringify(body, null, 2));
    }));
}

function list(options: ListOptions): Promise<void> {
  return withApi(async (api) => {
    const { output, limit, after, state, type, subject } = options;
    const { body } = await api.call<Page<Row>>('GET', `/api/runs${query({ limit, after, state, event_type: type, subject })}`);
    const isFiltered = state !== undefined || type !== undefined || subject !== undefined;
    print(body.items, ['run_id', 'event_type', 'event_id', 'state', 'accepted_at', 'finished_at'], output, isFiltered ? 'No run matches; leave a filter out to see more.' : 'No runs yet. Send one: npx --no trunkline send-event conversation_ended --wait');
    if (body.next !== null && output === 'table') say(`More: --after ${body.next}`);
  });
}

function replay(id: string, { output, plan, from, newEffects, dryRun }: ReplayOptions): Promise<void> {
  return withApi(async (api) => {
    const { body } = await api.call<Row>('POST', `/api/runs/${encodeURIComponent(id)}/replay`, { version: plan, ...(from === undefined ? {} : { from_step: from }), new_effects: newEffects ?? false, dry_run: dryRun ?? false });
    printOne(body, output, () => JSON.stringify(body, null, 2));
  });
}
