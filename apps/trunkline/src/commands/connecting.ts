import { createInterface } from 'node:readline/promises';
import { CommandUsage } from '../client/failure.js';
import { say, write } from '../client/output.js';
import { withApi } from './options.js';

interface Begun {
  readonly authorization_url: string;
  readonly callback_url: string;
  readonly expires_at: string;
}

/** The browser that comes back shows a code; typed in here, it says that the browser was ours. Only then is anything connected. */
export function connect(id: string): Promise<void> {
  return withApi(async (api) => {
    const path = `/api/integrations/${encodeURIComponent(id)}/connect`;
    const { body } = await api.call<Begun>('POST', path, {});
    say(`Open this address, sign in at the provider and say yes (until ${body.expires_at}). The provider has to know the callback address ${body.callback_url}`);
    write(body.authorization_url);
    const code = await asked('Code that the browser shows: ');
    await api.call('POST', `${path}/confirm`, { code });
    say('Connected. Held work goes on by itself: npx --no trunkline integrations test');
  });
}

export function disconnect(id: string): Promise<void> {
  return withApi(async (api) => {
    const { body } = await api.call<{ revoked_at_provider: boolean }>('POST', `/api/integrations/${encodeURIComponent(id)}/disconnect`, {});
    say(body.revoked_at_provider ? 'Disconnected, here and at the provider.' : 'Disconnected here. The provider was not told: end the grant there by hand.');
  });
}

async function asked(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const ended = new Promise<string>((resolve) => lines.once('close', () => resolve('')));
    const code = (await Promise.race([lines.question(question), ended])).trim();
    if (code === '') throw CommandUsage.because('no code was entered; begin again');
    return code;
  } finally {
    lines.close();
  }
}
