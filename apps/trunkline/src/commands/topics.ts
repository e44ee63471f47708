import type { Command } from 'commander';
import { print, type OutputFormat, type Row } from '../client/output.js';
import { withApi, withOutput } from './options.js';

interface TopicsView {
  readonly topics: readonly Row[];
  readonly groups: readonly { readonly group: string; readonly partitions: readonly Row[] }[];
}

export function addTopics(program: Command): void {
  const topics = program.command('topics').description('the event log');
  withOutput(topics.command('list'))
    .description('every topic with what it holds')
    .action(({ output }: { output: OutputFormat }) => withTopics(({ topics: rows }) => print(rows, ['topic', 'partitions', 'records', 'bytes', 'summary'], output, 'No topics yet.')));
  withOutput(topics.command('lag'))
    .description('what each group has yet to read, per topic')
    .option('--partitions', 'one line per partition')
    .action(({ output, partitions }: { output: OutputFormat; partitions?: boolean }) => withTopics(({ groups }) => {
      const rows = groups.flatMap(({ group, partitions: each }) => (partitions ? each.map((row) => ({ group, ...row })) : perTopic(group, each)));
      print(rows, partitions ? ['group', 'topic', 'partition', 'committed', 'end_offset', 'lag', 'oldest_unread_at'] : ['group', 'topic', 'lag', 'oldest_unread_at'], output, 'No group has read anything yet.');
    }));
}

function withTopics(show: (view: TopicsView) => void): Promise<void> {
  return withApi(async (api) => show((await api.call<TopicsView>('GET', '/api/topics')).body));
}

function perTopic(group: string, partitions: readonly Row[]): readonly Row[] {
  const byTopic = Map.groupBy(partitions, (row) => String(row['topic']));
  return [...byTopic].map(([topic, rows]) => {
    const oldest = rows.map((row) => row['oldest_unread_at']).filter((time) => typeof time === 'string').toSorted();
    return { group, topic, lag: rows.reduce((sum, row) => sum + Number(row['lag']), 0), oldest_unread_at: oldest[0] ?? null };
  });
}
