import { setTimeout as wait } from 'node:timers/promises';
import type { PauseEvidence } from './checker/evidence.js';
import type { Rehearsed } from './provider-fault.js';
import type { Happening } from './schedule.js';

type Pause = Extract<Happening, { kind: 'pause' }>;

const patienceMs = 120_000;

/** As an administrator would: holds one integration at the gateway for a while and lets it go on. */
export async function holdFor(platform: Rehearsed, { council: name, provider, forMs }: Pause, signal: AbortSignal, take: (pause: PauseEvidence) => void): Promise<void> {
  const council = platform.councils.find((one) => one.name === name);
  const integration = council?.integrations.find((one) => one.provider === provider);
  if (council === undefined || integration === undefined) throw new Error(`${name} has no integration with ${provider}`);
  const ask = (verb: 'pause' | 'resume'): Promise<void> => askUntilDone(`${platform.gatewayUrl}/api/integrations/${integration.id}/${verb}`, council.apiKey, signal);
  await ask('pause');
  const fromMs = Date.now();
  await wait(forMs, undefined, { signal }).catch(() => undefined);
  take({ integrationId: integration.id, name: `${provider} of ${name}`, fromMs, untilMs: Date.now() });
  await ask('resume');
}

async function askUntilDone(url: string, apiKey: string, signal: AbortSignal): Promise<void> {
  for (const giveUpAt = performance.now() + patienceMs; performance.now() < giveUpAt && !signal.aborted; await wait(500)) {
    try {
      const answer = await fetch(url, { method: 'POST', headers: { authorization: `Bearer ${apiKey}` }, signal: AbortSignal.timeout(5_000) });
      if (answer.ok) return;
    } catch {
      // The gateway or the database is away just now; both come back.
    }
  }
  if (!signal.aborted) throw new Error(`${url} was not answered with 2xx`);
}
