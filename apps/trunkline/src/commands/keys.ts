import type { Command } from 'commander';
import { print, printOne, say, type OutputFormat, type Row } from '../client/output.js';
import { wholeNumber, withApi, withOutput } from './options.js';

interface MadeKey {
  readonly id: string;
  readonly api_key: string;
}

export function addKeys(program: Command): void {
  const keys = program.command('keys').description('the organisation\'s API keys');
  withOutput(keys.command('list'))
    .description('all of them, never the keys themselves')
    .action(({ output }: { output: OutputFormat }) => withApi(async (api) => {
      const { body } = await api.call<{ keys: readonly Row[] }>('GET', '/api/keys');
      print(body.keys, ['id', 'name', 'scopes', 'expires_at', 'revoked_at', 'last_used_at'], output, 'No keys yet.');
    }));
  withOutput(keys.command('create'))
    .description('make a key; it is shown this once')
    .argument('<name>', 'what it is for')
    .requiredOption('--scopes <names...>', 'publish, read, execute, admin, or names of permissions such as runs:replay')
    .option('--expires-at <time>', 'from then on it is not accepted, as 2027-01-31T00:00:00Z')
    .action((name: string, { scopes, expiresAt, output }: { scopes: readonly string[]; expiresAt?: string; output: OutputFormat }) => withApi(async (api) => {
      const { body } = await api.call<MadeKey>('POST', '/api/keys', { name, scopes, ...(expiresAt === undefined ? {} : { expires_at: expiresAt }) });
      show(body, output);
    }));
  withOutput(keys.command('rotate'))
    .description('make a new key in place of one, which goes on for a while')
    .argument('<id>', 'key, as `keys list` shows it')
    .option('--overlap <seconds>', 'how long the old one goes on', wholeNumber, 86_400)
    .action((id: string, { overlap, output }: { overlap: number; output: OutputFormat }) => withApi(async (api) => {
      const { body } = await api.call<MadeKey>('POST', `/api/keys/${encodeURIComponent(id)}/rotate`, { overlap_seconds: overlap });
      show(body, output);
    }));
  keys
    .command('revoke')
    .description('accept a key no longer; other gateways follow within 30 seconds')
    .argument('<id>', 'key, as `keys list` shows it')
    .action((id: string) => withApi(async (api) => {
      await api.call('DELETE', `/api/keys/${encodeURIComponent(id)}`);
      say('Revoked.');
    }));
}

function show(key: MadeKey, output: OutputFormat): void {
  printOne(key, output, () => key.api_key);
  say('The key is shown this once; only its hash is kept.');
}
