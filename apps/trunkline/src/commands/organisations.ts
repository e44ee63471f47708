import { offboard } from '@trunkline/custody';
import type { Command } from 'commander';
import { CommandUsage } from '../client/failure.js';
import { withOperator } from '../client/operator.js';
import { printOne, say, type OutputFormat } from '../client/output.js';
import { withOutput } from './options.js';

export function addOrganisations(program: Command): void {
  const organisations = program.command('organisations').description('an operator\'s work on whole organisations');
  withOutput(organisations.command('offboard'))
    .description('an organisation leaves: its credentials become unreadable at once, then everything of it is deleted')
    .argument('<id>', 'organisation')
    .requiredOption('--yes-delete <id>', 'the same id again; nothing brings the data back')
    .addHelpText('after', '\nMay be ended and started again, also after its report. Its events still lie in the topics until those expire, 7 days, and up to 6 hours and a few minutes more on Kafka.\nNeeds DATABASE_URL in the environment.')
    .action((id: string, { output, yesDelete }: { output: OutputFormat; yesDelete: string }) => {
      if (yesDelete !== id) throw CommandUsage.because('--yes-delete must repeat the id of the organisation');
      return withOperator(async ({ databases }) => {
        const report = await offboard(databases, id, { onProgress: ({ table, deleted }) => say(`${table}: ${deleted} rows deleted`) });
        printOne(report, output, () => [`Keys destroyed at ${report.keysDestroyedAt}.`, ...Object.entries(report.deleted).map(([table, rows]) => `  ${table}: ${rows}`), `  memberships ended: ${report.people.membershipsEnded}, accounts deleted: ${report.people.accountsDeleted}`, 'Its events in the topics expire after 7 days, on Kafka up to 6 hours and a few minutes later.'].join('\n'));
      });
    });
}
