import { setTimeout as wait } from 'node:timers/promises';
import type { ChaosProvider } from './council.js';
import type { ChaosPlatform } from './platform.js';
import type { Happening, ProviderFault } from './schedule.js';
import { SimulatorSilent } from './simulator-control.js';

/** What the hands of a rehearsal need of the platform. */
export type Rehearsed = Pick<ChaosPlatform, 'landscape' | 'councils' | 'gatewayUrl' | 'control'>;

export interface FaultWishes {
  /** Whether its simulator was killed, frozen or restarted at any moment since then. */
  wasDownSince(fromMs: number): boolean;
  /** As long as the fault lasts. */
  pause(): Promise<void>;
  readonly signal: AbortSignal;
}

const faultBodies: Readonly<Record<Exclude<ProviderFault, 'tokens-expire' | 'revoked'>, Readonly<Record<string, unknown>>>> = {
  throttled: { status: 429, retryAfter: '2' },
  'reset-after-write': { reset: 'after' },
  'reset-before-write': { reset: 'before' },
  'server-errors': { status: 503 },
  slow: { latencyMs: 3_500 },
  'search-lag': { searchLagMs: 2_500 },
};

/** Only writes are hit, and for searches everything: a token that is never had would keep the fault from what it is meant for. */
const writesOf: Readonly<Record<ChaosProvider, Readonly<Record<string, unknown>>>> = {
  genesys: { method: 'POST', path: '/notes' },
  techone: { path: '/Save' },
  salesforce: { method: 'PATCH' },
  rehearsal: { path: '/\\/(keyed|searched|upserted|once)$/' },
};

/** One that is up and says nothing is asked again for so long: the machine may be busy with something else. */
const patienceMs = 120_000;

/** False: the simulator was down just then and takes no orders, so the fault is left out. Any other refusal is thrown. */
export async function withFault(platform: Rehearsed, { provider, fault, forMs, path }: Extract<Happening, { kind: 'provider-fault' }>, wishes: FaultWishes): Promise<boolean> {
  const order = (method: 'POST' | 'DELETE', orderPath: string, body?: unknown): Promise<boolean> => isTaken(() => platform.control(provider, method, orderPath, body), wishes);
  if (fault === 'tokens-expire') return order('POST', '/expire-tokens');
  if (fault !== 'revoked') {
    // Gone by itself even if nobody can take it away.
    const hasBegun = await order('POST', '/faults', { match: path !== undefined ? { path } : fault === 'search-lag' ? {} : writesOf[provider], ...faultBodies[fault], forMs });
    if (!hasBegun) return false;
    await wishes.pause();
    await order('DELETE', '/faults');
    return true;
  }
  const isRevoked = await order('POST', '/revoke');
  if (isRevoked) await wishes.pause();
  // Also where nobody said that it was taken: a simulator that was frozen may do it when it goes on.
  await restoreAccess(platform, provider, wishes.signal);
  return isRevoked;
}

async function isTaken(ask: () => Promise<unknown>, { wasDownSince, signal }: FaultWishes): Promise<boolean> {
  for (const giveUpAt = performance.now() + patienceMs; ; await wait(200)) {
    const askedAtMs = Date.now();
    try {
      await ask();
      return true;
    } catch (error) {
      if (!(error instanceof SimulatorSilent)) throw error;
      if (wasDownSince(askedAtMs) || signal.aborted) return false;
      if (performance.now() > giveUpAt) throw error;
    }
  }
}

/** As an administrator would: the grant is given back, and the integrations are saved again, which opens their gates. */
async function restoreAccess(platform: Rehearsed, provider: ChaosProvider, signal: AbortSignal): Promise<void> {
  const giveUpAt = performance.now() + patienceMs;
  for (let isRestored = false; !isRestored; ) {
    // Ctrl-C: what is down stays down.
    if (signal.aborted) return;
    isRestored = await platform.control(provider, 'POST', '/restore').then(() => true, (error: unknown) => {
      // Killed or frozen just now; it comes back.
      if (!(error instanceof SimulatorSilent) || performance.now() > giveUpAt) throw error;
      return false;
    });
    if (!isRestored) await wait(500);
  }
  for (const council of platform.councils) {
    for (const { id } of council.integrations.filter((integration) => integration.provider === provider)) await reconnect(platform.gatewayUrl, council.apiKey, id, giveUpAt, signal);
  }
}

async function reconnect(gatewayUrl: string, apiKey: string, id: string, giveUpAt: number, signal: AbortSignal): Promise<void> {
  for (; performance.now() < giveUpAt && !signal.aborted; await wait(500)) {
    try {
      const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' };
      const read = await fetch(`${gatewayUrl}/api/integrations/${id}`, { headers, signal: AbortSignal.timeout(5_000) });
      if (!read.ok) continue;
      const { credentials } = (await read.json()) as { readonly credentials: unknown };
      const saved = await fetch(`${gatewayUrl}/api/integrations/${id}`, { method: 'PUT', headers: { ...headers, 'if-match': read.headers.get('etag') ?? '' }, body: JSON.stringify({ credentials }), signal: AbortSignal.timeout(5_000) });
      if (saved.ok) return;
    } catch {
      // The gateway or the database is away just now; both come back.
    }
  }
  if (!signal.aborted) throw new Error(`integration ${id} could not be saved again`);
}
