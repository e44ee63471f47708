import type { Command } from 'commander';
import { query } from '../client/api.js';
import { print, printOne, say, type OutputFormat, type Row } from '../client/output.js';
import { wholeNumber, withApi, withOutput, withPaging, type Page } from './options.js';

interface Filter {
  readonly class?: string;
  readonly provider?: string;
  readonly code?: string;
  readonly id?: readonly string[];
}

export function addDeadLetters(program: Command): void {
  const letters = program.command('dead-letters').description('what could not be done, with its reason and its original bytes');
  withFilter(withPaging(letters.command('list'))).description('newest first').action(list);
  withOutput(letters.command('show'))
    .description('one, with the record as it came')
    .argument('<id>', 'dead letter')
    .action((id: string, { output }: { output: OutputFormat }) => withApi(async (api) => {
      const { body } = await api.call<Row>('GET', `/api/dead-letters/${encodeURIComponent(id)}`);
      printOne(body, output, () => JSON.stringify(body, null, 2));
    }));
  withFilter(withOutput(letters.command('redrive')))
    .description('send them again: same run, next dispatch; the chain goes on where it stopped')
    .option('--id <id...>', 'only these')
    .option('--dry-run', 'count and show a sample, send nothing')
    .option('--rate <per second>', 'pace', wholeNumber, 20)
    .option('--force', 'also those that came back three times')
    .action(redrive);
}

function withFilter(command: Command): Command {
  return command.option('--class <class>', 'data, conflict, auth, bug …').option('--provider <provider>', 'only of this provider').option('--code <code>', 'only with this error code');
}

function list({ output, limit, after, class: errorClass, provider, code }: Filter & { output: OutputFormat; limit: number; after?: string }): Promise<void> {
  return withApi(async (api) => {
    const { body } = await api.call<Page<Row>>('GET', `/api/dead-letters${query({ limit, after, class: errorClass, provider, code })}`);
    print(body.items, ['id', 'class', 'code', 'message', 'run_id', 'step_id', 'times', 'last_at'], output, 'Nothing is dead-lettered. That is how it should be.');
    if (body.next !== null && output === 'table') say(`More: --after ${body.next}`);
  });
}

function redrive({ output, dryRun, rate, force, id, class: errorClass, provider, code }: Filter & { output: OutputFormat; dryRun?: boolean; rate: number; force?: boolean }): Promise<void> {
  return withApi(async (api) => {
    const filter = { ...(id === undefined ? {} : { ids: id }), ...(errorClass === undefined ? {} : { class: errorClass }), ...(provider === undefined ? {} : { provider }), ...(code === undefined ? {} : { code }) };
    const { body } = await api.call<Row>('POST', '/api/dead-letters/redrive', { filter, dry_run: dryRun ?? false, per_second: rate, force: force ?? false });
    printOne(body, output, () => JSON.stringify(body, null, 2));
  });
}
