import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { CommandUsage, exitCodes, NoTarget } from '../client/failure.js';
import { print, printOne, say, type OutputFormat, type Row } from '../client/output.js';
import { connect, disconnect } from './connecting.js';
import { positiveNumber, withApi, withOutput } from './options.js';

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
    .option('--per-minute <calls>', 'let held work go on at this pace; it stays the integration\'s limit until the setting limit_per_minute is changed', positiveNumber)
    .action(reconnect);
  integrations
    .command('connect')
    .description('connect by signing in at the provider: prints where, and asks for the code that the browser shows')
    .argument('<id>', 'integration')
    .action(connect);
  integrations
    .command('disconnect')
    .description('forget the tokens and give the grant back to the provider; work is held until somebody connects again')
    .argument('<id>', 'integration')
    .action(disconnect);
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
function reconnect(id: string, { file, perMinute }: { file?: string; perMinute?: number }): Promise<void> {
  const given = file === undefined ? null : readCredentials(file);
  return withApi(async (api) => {
    const path = `/api/integrations/${encodeURIComponent(id)}`;
    const { body, headers } = await api.call<{ settings: Record<string, unknown>; credentials: Record<string, string> | null; authorization: { state: string } | null }>('GET', path);
    const pace = perMinute === undefined ? {} : { settings: { ...body.settings, limit_per_minute: perMinute } };
    await api.call('PUT', path, { ...pace, credentials: { ...body.credentials, ...given } }, { 'if-match': String(headers['etag'] ?? '') });
    if (body.settings['sign_in'] === 'authorization_code' && body.authorization?.state !== 'connected') return say('Saved. A person has to sign in at the provider again: npx --no trunkline integrations connect');
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
