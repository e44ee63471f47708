import type { ChaosProvider, CouncilName } from './council.js';
import { simulatedProviders } from './council.js';
import type { ChaosOptions, TargetGroup } from './options.js';
import { SeededRandom } from './random.js';

export type ProviderFault = 'throttled' | 'reset-after-write' | 'reset-before-write' | 'server-errors' | 'slow' | 'search-lag' | 'tokens-expire' | 'revoked';

/** One thing that goes wrong, so long after the load began. */
export type Happening =
  | { readonly kind: 'kill' | 'restart'; readonly atMs: number; readonly target: string; readonly downMs: number; readonly when?: InHand }
  | { readonly kind: 'freeze'; readonly atMs: number; readonly target: string; readonly forMs: number }
  | { readonly kind: 'pause'; readonly atMs: number; readonly council: CouncilName; readonly provider: ChaosProvider; readonly forMs: number }
  | { readonly kind: 'provider-fault'; readonly atMs: number; readonly provider: ChaosProvider; readonly fault: ProviderFault; readonly forMs: number; readonly path?: string };

/** In a directed schedule: not before the provider has so many calls of this operation in hand, and so long after that. */
export interface InHand {
  readonly provider: ChaosProvider;
  readonly operation: string;
  readonly calls: number;
  readonly afterMs: number;
}

const targetsOf: Readonly<Record<TargetGroup, readonly string[]>> = {
  gateway: ['gateway'],
  ledger: ['ledger 1', 'ledger 2'],
  workers: ['contact-centre worker', 'erp worker', 'crm worker 1', 'crm worker 2'],
  broker: ['broker'],
  database: ['database'],
  simulators: simulatedProviders.map((name) => `${name} simulator`),
};

const faults: readonly ProviderFault[] = ['throttled', 'reset-after-write', 'reset-before-write', 'server-errors', 'slow', 'search-lag', 'tokens-expire', 'revoked'];
/** A session of the event log ends after 10 s: a longer freeze makes a process come back to partitions that are no longer its own. */
const pastSessionMs = [11_000, 16_000] as const;
/** By turns the two integrations with limits: what a pause has held back meets them afterwards. */
const pausable = [{ council: 'alpha', provider: 'techone' }, { council: 'beta', provider: 'rehearsal' }] as const;
/** Longer than a pause may take to be known everywhere (the checker's `pauseKnownWithinMs`). */
const pauseMs = [15_000, 19_000] as const;
/** As a part of the time: what is held back must meet its limit while there is still a load. */
const pausedWithin = 0.7;

type Wishes = Pick<ChaosOptions, 'seed' | 'durationMs' | 'kills' | 'kinds' | 'targets' | 'driver'>;

/** The same seed and wishes give the same schedule: nothing but the generator is asked. */
export function drawSchedule({ seed, durationMs, kills, kinds, targets, driver }: Wishes): readonly Happening[] {
  const random = new SeededRandom(seed);
  const names = targets.flatMap((group) => (group === 'broker' && driver === 'postgres' ? [] : targetsOf[group]));
  const drawn: Happening[] = [];
  const aim = inRounds(names, random);
  const spread = (count: number, make: (atMs: number) => Happening): void => {
    for (let index = 0; index < count; index += 1) drawn.push(make(Math.round(((index + 0.15 + 0.7 * random.next()) * durationMs) / count)));
  };
  if (kinds.includes('kill')) spread(kills, (atMs) => ({ kind: 'kill', atMs, target: aim(), downMs: random.between(0, 2_500) }));
  if (kinds.includes('freeze')) spread(Math.ceil(kills / 3), (atMs) => freezeOf(atMs, random.pick(names), random));
  if (kinds.includes('restart')) spread(Math.ceil(kills / 5), (atMs) => ({ kind: 'restart', atMs, target: random.pick(names), downMs: random.between(0, 1_000) }));
  if (kinds.includes('provider-faults')) {
    const fault = inRounds(faults, random);
    spread(Math.ceil(kills / 2), (atMs) => faultOf(atMs, fault(), random));
  }
  if (kinds.includes('pause')) drawn.push(...pausesOf(Math.ceil(kills / 8), durationMs * pausedWithin, random));
  return drawn.toSorted((one, other) => one.atMs - other.atMs);
}

function pausesOf(count: number, withinMs: number, random: SeededRandom): readonly Happening[] {
  return Array.from({ length: count }, (_, index): Happening => {
    const { council, provider } = pausable[index % pausable.length] ?? pausable[0];
    return { kind: 'pause', atMs: Math.round(((index + 0.15 + 0.7 * random.next()) * withinMs) / count), council, provider, forMs: random.between(...pauseMs) };
  });
}

/** Every item once before any comes again. */
function inRounds<T>(items: readonly T[], random: SeededRandom): () => T {
  let left: T[] = [];
  return () => {
    if (left.length === 0) left = [...random.shuffled(items)];
    const next = left.pop();
    if (next === undefined) throw new Error('nothing to draw from');
    return next;
  };
}

function freezeOf(atMs: number, target: string, random: SeededRandom): Happening {
  // A provider frozen for longer than its stated bounds breaks its own word; a database or broker frozen for long is only slow.
  if (target.endsWith('simulator')) return { kind: 'freeze', atMs, target, forMs: random.between(300, 1_500) };
  if (target === 'database' || target === 'broker') return { kind: 'freeze', atMs, target, forMs: random.between(500, 4_000) };
  return { kind: 'freeze', atMs, target, forMs: random.next() < 0.3 ? random.between(...pastSessionMs) : random.between(1_000, 8_000) };
}

function faultOf(atMs: number, fault: ProviderFault, random: SeededRandom): Happening {
  return { kind: 'provider-fault', atMs, provider: random.pick(providersOf(fault)), fault, forMs: random.between(2_000, 6_000) };
}

function providersOf(fault: ProviderFault): readonly ChaosProvider[] {
  // Salesforce is never searched; a revoked grant is given back through the gateway, which does not know the rehearsal's own provider.
  if (fault === 'search-lag') return ['genesys', 'techone', 'rehearsal'];
  return fault === 'revoked' ? ['genesys', 'techone', 'salesforce'] : simulatedProviders;
}

export function inWords(happening: Happening): string {
  const at = `${(happening.atMs / 1000).toFixed(1).padStart(7)} s`;
  if (happening.kind === 'provider-fault') return `${at}  ${happening.provider}: ${happening.fault} for ${happening.forMs} ms`;
  if (happening.kind === 'pause') return `${at}  pause ${happening.provider} of ${happening.council} for ${happening.forMs} ms`;
  return `${at}  ${happening.kind} ${happening.target} ${happening.kind === 'freeze' ? `for ${happening.forMs} ms` : `(back after ${happening.downMs} ms)`}`;
}
