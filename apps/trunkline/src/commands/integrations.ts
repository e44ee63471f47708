import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { CommandUsage, exitCodes, NoTarget } from '../client/failure.js';
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
  integrations
    .command('reconnect')
    .description('try again with new credentials, or with the stored ones; opens a gate that says `reconnect`')
    .argument('<id>', 'integration')
    .option('-f, --file <file>', 'the credentials as JSON, from a file or `-` (stdin); they are never taken from the command line')
    .action(reconnect);
  withOutput(integrations.command('test'))
    .description('call the provider\'s cheap check with the stored credentials')
    .argument('<id>', 'integration')
    .action((id: string, { output }: { output: OutputFormat }) => withApi(async (api) => {
      const { body } = await api.call<{ ok: boolean; checks: readonly { shows: string; ok: boolean; problem: string | null }[] }>('POST', `/api/integrations/${encodeURIComponent(id)}/test`, {});
      printOne(body, output, () => body.checks.map((check) => `${check.ok ? '✓' : '✗'} ${check.shows}${check.problem === null ? '' : `: ${check.problem}`}`).join('\n'));
      if (!body.ok) process.exitCode = exitCodes.failed;
    }));
}

/** Saving an integration is what opens its gate; a mask stands for a credential that stays as it was. */
function reconnect(id: string, { file }: { file?: string }): Promise<void> {
  const given = file === undefined ? null : readCredentials(file);
  return withApi(async (api) => {
    const path = `/api/integrations/${encodeURIComponent(id)}`;
    const { body, headers } = await api.call<{ credentials: Record<string, string> | null }>('GET', path);
    await api.call('PUT', path, { credentials: { ...body.credentials, ...given } }, { 'if-match': String(headers['etag'] ?? '') });
    say('Saved. Held work goes on if the provider accepts the credentials: npx --no trunkline integrations test');
  });
}

function readCredentials(file: string): Record<string, unknown> {
  try {
    return JSON.parse(readFileSync(file === '-' ? 0 : file, 'utf8')) as Record<string, unknown>;
  } catch (error) {
    throw CommandUsage.from(error, `reading the credentials from ${file === '-' ? 'stdin' : file}: they must be a JSON object such as {"client_id": "…", "client_secret": "…"}`);
  }
}
