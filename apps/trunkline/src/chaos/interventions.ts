import { setTimeout as wait } from 'node:timers/promises';
import type { Happening, InHand } from './schedule.js';
import { holdFor } from './pause.js';
import { type Rehearsed, withFault } from './provider-fault.js';
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
  /** A provider fault that its simulator did not take. */
  isLeftOut: boolean;
}

export interface InterventionWishes {
  readonly platform: Rehearsed;
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
  /** What did not come back as it should, or was not done as it should be. */
  readonly troubles: string[] = [];
  private readonly busy = new Map<string, Promise<void>>();

  constructor(private readonly wishes: InterventionWishes) {}

  get current(): readonly string[] {
    return this.done.filter(({ endedAtMs }) => endedAtMs === null).map(({ what }) => what);
  }

  get countedKills(): number {
    return this.done.filter(({ counts }) => counts).length;
  }

  get providerFaults(): { readonly taken: number; readonly leftOut: number } {
    const faults = this.done.filter(({ kind }) => kind === 'provider-fault');
    const leftOut = faults.filter(({ isLeftOut }) => isLeftOut).length;
    return { taken: faults.length - leftOut, leftOut };
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
    const intervention: Intervention = { what: `${happening.kind === 'provider-fault' ? happening.fault : happening.kind} ${target}`, kind: happening.kind, target, atMs: Date.now(), endedAtMs: null, inFlight, counts: happening.kind === 'kill' && inFlight >= this.wishes.inFlightWished, isLeftOut: false };
    this.done.push(intervention);
    await this.perform(happening, intervention).catch((error: unknown) => void this.troubles.push(`${intervention.what}: ${error instanceof Error ? error.message : String(error)}`));
    intervention.endedAtMs = Date.now();
  }

  private async perform(happening: Happening, intervention: Intervention): Promise<void> {
    const { platform, signal } = this.wishes;
    if (happening.kind === 'pause') return holdFor(platform, happening, signal, (pause) => this.pauses.push(pause));
    const rest = (ms: number): Promise<void> => wait(ms, undefined, { signal }).catch(() => undefined);
    if (happening.kind !== 'provider-fault') return strike(platform, happening, signal, rest);
    const simulator = `${happening.provider} simulator`;
    const wasDownSince = (fromMs: number): boolean => this.done.some(({ target, endedAtMs }) => target === simulator && (endedAtMs === null || endedAtMs >= fromMs));
    intervention.isLeftOut = true;
    intervention.isLeftOut = !(await withFault(platform, happening, { wasDownSince, pause: () => rest(happening.forMs), signal }));
  }
}

function targetOf(happening: Happening): string {
  if (happening.kind === 'provider-fault') return `${happening.provider} provider`;
  return happening.kind === 'pause' ? `${happening.provider} of ${happening.council}` : happening.target;
}

type Blow = Exclude<Happening, { kind: 'pause' | 'provider-fault' }>;

async function strike(platform: Rehearsed, happening: Blow, signal: AbortSignal, pause: (ms: number) => Promise<void>): Promise<void> {
  const { landscape } = platform;
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

function freeze({ landscape }: Rehearsed, target: string): void {
  if (target === 'database') landscape.freezeDatabase();
  else if (target === 'broker') landscape.freezeBroker();
  else landscape.service(target).freeze();
}

function thaw({ landscape }: Rehearsed, target: string): void {
  if (target === 'database') landscape.thawDatabase();
  else if (target === 'broker') landscape.thawBroker();
  else landscape.service(target).thaw();
}
