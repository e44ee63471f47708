import type { Command } from 'commander';
import { query } from '../client/api.js';
import { CommandUsage, exitCodes } from '../client/failure.js';
import { print, printOne, say, type OutputFormat, type Row } from '../client/output.js';
import { wholeNumber, withApi, withOutput, withPaging } from './options.js';

interface Redriven {
  readonly dry_run: boolean;
  readonly matched: number;
  readonly redriven: number;
  readonly refused: readonly unknown[];
  readonly by_class: Readonly<Record<string, number>>;
  /** Runs whose unfinished steps go to the end of their subject's line. */
  readonly renumbered: number;
}

interface Filter {
  readonly class?: string;
  readonly integration?: string;
  readonly run?: string;
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
    .option('--all', 'every open one, where nothing else says which')
    .option('--dry-run', 'count and show a sample, send nothing')
    .option('--rate <per second>', 'pace', wholeNumber, 20)
    .option('--force', 'also those that came back three times')
    .action(redrive);
}

function withFilter(command: Command): Command {
  return command.option('--class <class>', 'data, conflict, auth, bug …').option('--integration <id>', 'only of this integration').option('--run <id>', 'only of this run').option('--code <code>', 'only with this error code');
}

function list({ output, limit, after, class: errorClass, integration, run, code }: Filter & { output: OutputFormat; limit: number; after?: string }): Promise<void> {
  return withApi(async (api) => {
    const { body } = await api.call<{ dead_letters: readonly Row[]; next: string | null }>('GET', `/api/dead-letters${query({ limit, after, class: errorClass, integration_id: integration, run_id: run, code })}`);
    print(body.dead_letters, ['id', 'class', 'code', 'message', 'run_id', 'step_id', 'times', 'last_at'], output, 'Nothing is dead-lettered. That is how it should be.');
    if (body.next !== null && output === 'table') say(`More: --after ${body.next}`);
  });
}

function redrive({ output, dryRun, rate, force, all, id, class: errorClass, integration, run, code }: Filter & { output: OutputFormat; all?: boolean; dryRun?: boolean; rate: number; force?: boolean }): Promise<void> {
  if (!all && !dryRun && [id, errorClass, integration, run, code].every((value) => value === undefined)) throw CommandUsage.because('say which: --id, --class, --code, --integration, --run, or --all (look first with --dry-run)');
  return withApi(async (api) => {
    const filter = { ids: id, class: errorClass, integration_id: integration, run_id: run, code };
    const { body } = await api.call<Redriven>('POST', '/api/dead-letters/redrive', { ...filter, dry_run: dryRun ?? false, per_second: rate, force: force ?? false });
    printOne(body, output, () => redriveText(body));
    if (body.refused.length > 0 && body.redriven === 0 && !body.dry_run) process.exitCode = exitCodes.failed;
  });
}

function redriveText({ dry_run: isDryRun, matched, redriven, refused, by_class: byClass, renumbered }: Redriven): string {
  const classes = Object.entries(byClass).map(([name, count]) => `${count} ${name}`).join(', ');
  const head = isDryRun ? `${matched} would be sent again${classes === '' ? '' : ` (${classes})`}; nothing was.` : `${redriven} of ${matched} are on their way again.`;
  const line = renumbered > 0 ? [`${renumbered} of their runs ${isDryRun ? 'would go' : 'went'} to the end of their subject's line.`] : [];
  return [head, ...line, ...refused.map((refusal) => `refused: ${JSON.stringify(refusal)}`)].join('\n');
}
