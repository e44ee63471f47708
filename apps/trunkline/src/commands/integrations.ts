import type { Command } from 'commander';
import { exitCodes, NoTarget } from '../client/failure.js';
import { print, printOne, say, type OutputFormat, type Row } from '../client/output.js';
import { withApi, withOutput } from './options.js';

export function addIntegrations(program: Command): void {
  const integrations = program.command('integrations').description('the organisation\'s connections to providers');
  withOutput(integrations.command('list'))
    .description('all of them')
    .action(({ output }: { output: OutputFormat }) => withApi(async (api, { organisationId }) => {
      if (organisationId === null) throw NoTarget.because('listing needs the organisation: set TRUNKLINE_ORGANISATION');
      const { body } = await api.call<{ integrations: readonly Row[] }>('GET', `/api/integrations/org/${organisationId}`);
      print(body.integrations, ['id', 'provider', 'name', 'paused', 'updated_at'], output, 'No integrations yet; POST /api/integrations/org/<organisation> makes one (see /api/docs).');
    }));
  for (const verb of ['pause', 'resume'] as const) {
    integrations
      .command(verb)
      .description(verb === 'pause' ? 'hold its work; nothing is lost, everything is counted' : 'let held work go on')
      .argument('<id>', 'integration')
      .action((id: string) => withApi(async (api) => {
        await api.call('POST', `/api/integrations/${encodeURIComponent(id)}/${verb}`, {});
        say(verb === 'pause' ? 'Paused. Its work is held; `npx --no trunkline integrations resume` lets it go on.' : 'Resumed.');
      }));
  }
  withOutput(integrations.command('test'))
    .description('call the provider\'s cheap check with the stored credentials')
    .argument('<id>', 'integration')
    .action((id: string, { output }: { output: OutputFormat }) => withApi(async (api) => {
      const { body } = await api.call<{ ok: boolean; checks: readonly { shows: string; ok: boolean; problem: string | null }[] }>('POST', `/api/integrations/${encodeURIComponent(id)}/test`, {});
      printOne(body, output, () => body.checks.map((check) => `${check.ok ? '✓' : '✗'} ${check.shows}${check.problem === null ? '' : `: ${check.problem}`}`).join('\n'));
      if (!body.ok) process.exitCode = exitCodes.failed;
    }));
}
