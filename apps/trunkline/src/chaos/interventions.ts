import { setTimeout as wait } from 'node:timers/promises';
import type { ChaosPlatform } from './platform.js';
import type { Happening, InHand, ProviderFault } from './schedule.js';
import type { ChaosProvider } from './council.js';
import { holdFor } from './pause.js';
import type { PauseEvidence } from './checker/evidence.js';

/** What was done, when, and with how much in flight. */
export interface Intervention {
  readonly what: string;
  readonly kind: Happening['kind'];
  readonly target: string;
  readonly atMs: number;
  endedAtMs: number | null;
  readonly inFlight: number;
  /** A kill with enough in flight. */
  readonly counts: boolean;
}

export interface InterventionWishes {
  readonly platform: ChaosPlatform;
  readonly schedule: readonly Happening[];
  readonly inFlightWished: number;
  readonly signal: AbortSignal;
  /** As last looked at. */
  inFlight(): number;
  /** Looks now. */
  lookAgain(): Promise<unknown>;
  /** So many more events, at once. */
  hurry(events: number): void;
  isLoadOver(): boolean;
}

/** On a machine that is busy with other things a start may take a minute. */
const comesUpWithinMs = 240_000;

/** Rounds of looking; by then what was hurried has had time to be finished. */
const hurryEvery = 80;

/** Carries the schedule out. A kill waits for enough in flight; what is down or frozen is not touched again before it is back. */
export class Interventions {
  readonly done: Intervention[] = [];
  readonly skipped: Happening[] = [];
  readonly pauses: PauseEvidence[] = [];
  /** What did not come back as it should. */
  readonly troubles: string[] = [];
  private readonly busy = new Map<string, Promise<void>>();

  constructor(private readonly wishes: InterventionWishes) {}

  get current(): readonly string[] {
    return this.done.filter(({ endedAtMs }) => endedAtMs === null).map(({ what }) => what);
  }

  get countedKills(): number {
    return this.done.filter(({ counts }) => counts).length;
  }

  async run(): Promise<void> {
    const { schedule, signal } = this.wishes;
    const startMs = performance.now();
    for (const happening of schedule) {
      while (!signal.aborted && performance.now() < startMs + happening.atMs) await wait(Math.min(200, Math.max(1, startMs + happening.atMs - performance.now())));
      if (signal.aborted) break;
      const target = targetOf(happening);
      await this.busy.get(target);
      if (happening.kind === 'kill' && happening.when !== undefined) await this.untilInHand(happening.when);
      if (happening.kind === 'kill' && !(await this.hasEnoughInFlight())) {
        this.skipped.push(happening);
        continue;
      }
      const work = this.carryOut(happening, target).finally(() => this.busy.delete(target));
      this.busy.set(target, work);
    }
    await this.settled();
  }

  async settled(): Promise<void> {
    await Promise.all(this.busy.values());
  }

  private async untilInHand({ provider, operation, calls, afterMs }: InHand): Promise<void> {
    const { platform, signal } = this.wishes;
    // A call without a status has not been answered.
    const inHand = async (): Promise<number> => {
      const answer = (await platform.control(provider, 'GET', `/calls?operation=${operation}`).catch(() => null)) as { readonly calls: readonly { readonly status?: number }[] } | null;
      return answer?.calls.filter(({ status }) => status === undefined).length ?? 0;
    };
    for (const giveUpAt = performance.now() + 60_000; !signal.aborted && performance.now() < giveUpAt && (await inHand()) < calls; ) await wait(20);
    await wait(afterMs);
  }

  private async hasEnoughInFlight(): Promise<boolean> {
    const { inFlight, lookAgain, inFlightWished, isLoadOver, signal, hurry } = this.wishes;
    for (let round = 0; ; round += 1) {
      if (inFlight() >= inFlightWished) {
        await lookAgain();
        if (inFlight() >= inFlightWished) return true;
      }
      if (isLoadOver() || signal.aborted) return false;
      // A machine that is fast has little in flight at an even rate.
      if (round % hurryEvery === 0) hurry(2 * inFlightWished);
      await wait(25);
    }
  }

  private async carryOut(happening: Happening, target: string): Promise<void> {
    const inFlight = this.wishes.inFlight();
    const intervention: Intervention = { what: `${happening.kind === 'provider-fault' ? happening.fault : happening.kind} ${target}`, kind: happening.kind, target, atMs: Date.now(), endedAtMs: null, inFlight, counts: happening.kind === 'kill' && inFlight >= this.wishes.inFlightWished };
    this.done.push(intervention);
    const { platform, signal } = this.wishes;
    const work = happening.kind === 'pause' ? holdFor(platform, happening, signal, (pause) => this.pauses.push(pause)) : perform(platform, happening, signal);
    await work.catch((error: unknown) => void this.troubles.push(`${intervention.what}: ${error instanceof Error ? error.message : String(error)}`));
    intervention.endedAtMs = Date.now();
  }
}

function targetOf(happening: Happening): string {
  if (happening.kind === 'provider-fault') return `${happening.provider} provider`;
  return happening.kind === 'pause' ? `${happening.provider} of ${happening.council}` : happening.target;
}

async function perform(platform: ChaosPlatform, happening: Exclude<Happening, { kind: 'pause' }>, signal: AbortSignal): Promise<void> {
  const pause = (ms: number): Promise<void> => wait(ms, undefined, { signal }).catch(() => undefined);
  const { landscape } = platform;
  if (happening.kind === 'provider-fault') return withFault(platform, happening, () => pause(happening.forMs));
  const { target } = happening;
  if (happening.kind === 'freeze') {
    freeze(platform, target);
    await pause(happening.forMs);
    return thaw(platform, target);
  }
  const isKill = happening.kind === 'kill';
  if (target === 'database') await (isKill ? landscape.killDatabase() : landscape.stopDatabase());
  else if (target === 'broker') await (isKill ? landscape.killBroker() : landscape.stopBroker());
  else if (isKill) await landscape.service(target).kill();
  else await landscape.service(target).stop(30_000);
  await pause(happening.downMs);
  // Ctrl-C: what is down stays down.
  if (signal.aborted) return;
  if (target === 'database') return landscape.startDatabase();
  if (target === 'broker') return landscape.startBroker();
  landscape.service(target).start();
  // Whether it is ready is not waited for: the next blow may fall on one that is just coming up.
  const interrupted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  await Promise.race([landscape.service(target).untilListening(comesUpWithinMs), interrupted]);
}

function freeze({ landscape }: ChaosPlatform, target: string): void {
  if (target === 'database') landscape.freezeDatabase();
  else if (target === 'broker') landscape.freezeBroker();
  else landscape.service(target).freeze();
}

function thaw({ landscape }: ChaosPlatform, target: string): void {
  if (target === 'database') landscape.thawDatabase();
  else if (target === 'broker') landscape.thawBroker();
  else landscape.service(target).thaw();
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

async function withFault(platform: ChaosPlatform, { provider, fault, forMs, path }: Extract<Happening, { kind: 'provider-fault' }>, pause: () => Promise<void>): Promise<void> {
  // A simulator that is down or frozen just then takes no orders; the fault is left out.
  const ask = (method: 'POST' | 'DELETE', path: string, body?: unknown): Promise<unknown> => platform.control(provider, method, path, body).catch(() => null);
  if (fault === 'tokens-expire') return void (await ask('POST', '/expire-tokens'));
  if (fault !== 'revoked') {
    // Gone by itself even if nobody can take it away.
    await ask('POST', '/faults', { match: path !== undefined ? { path } : fault === 'search-lag' ? {} : writesOf[provider], ...faultBodies[fault], forMs });
    await pause();
    return void (await ask('DELETE', '/faults'));
  }
  await ask('POST', '/revoke');
  await pause();
  await restoreAccess(platform, provider);
}

/** As an administrator would: the grant is given back, and the integrations are saved again, which opens their gates. */
export async function restoreAccess(platform: ChaosPlatform, provider: ChaosProvider): Promise<void> {
  const giveUpAt = performance.now() + 120_000;
  for (let isRestored = false; !isRestored && performance.now() < giveUpAt; ) {
    isRestored = await platform.control(provider, 'POST', '/restore').then(() => true, () => false);
    if (!isRestored) await wait(500);
  }
  for (const council of platform.councils) {
    for (const { id } of council.integrations.filter((integration) => integration.provider === provider)) await reconnect(platform.gatewayUrl, council.apiKey, id, giveUpAt);
  }
}

async function reconnect(gatewayUrl: string, apiKey: string, id: string, giveUpAt: number): Promise<void> {
  for (; performance.now() < giveUpAt; await wait(500)) {
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
  throw new Error(`integration ${id} could not be saved again`);
}
