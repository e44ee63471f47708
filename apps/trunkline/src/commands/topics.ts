import type { Command } from 'commander';
import { print, type OutputFormat, type Row } from '../client/output.js';
import { withApi, withOutput, type Page } from './options.js';

export function addTopics(program: Command): void {
  const topics = program.command('topics').description('the event log');
  withOutput(topics.command('list'))
    .description('every topic with what it holds')
    .action(({ output }: { output: OutputFormat }) => withApi(async (api) => {
      const { body } = await api.call<Page<Row>>('GET', '/api/topics');
      print(body.items, ['topic', 'partitions', 'records', 'lag', 'oldest_unread_at'], output, 'No topics yet.');
    }));
  withOutput(topics.command('lag'))
    .description('what each group has yet to read, per topic and partition')
    .action(({ output }: { output: OutputFormat }) => withApi(async (api) => {
      const { body } = await api.call<Page<Row>>('GET', '/api/topics/lag');
      print(body.items, ['group', 'topic', 'partition', 'committed', 'end_offset', 'lag', 'oldest_unread_at'], output, 'No group has read anything yet.');
    }));
}
