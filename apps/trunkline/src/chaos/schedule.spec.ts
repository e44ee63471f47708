import { pauseKnownWithinMs } from './checker/limits.js';
import { happeningKinds, targetGroups } from './options.js';
import { drawSchedule } from './schedule.js';

const wishes = { seed: 42, durationMs: 120_000, kills: 20, kinds: happeningKinds, targets: targetGroups, driver: 'kafka' } as const;
const targetsIn = (schedule: ReturnType<typeof drawSchedule>) => new Set(schedule.flatMap((happening) => (happening.kind === 'kill' ? [happening.target] : [])));

it('draws the same schedule from the same seed, and another from another', () => {
  expect(drawSchedule(wishes)).toEqual(drawSchedule(wishes));
  expect(drawSchedule({ ...wishes, seed: 43 })).not.toEqual(drawSchedule(wishes));
});

it('is pinned: a seed that found something finds it again in a later version', () => {
  expect(drawSchedule({ ...wishes, kills: 3, kinds: ['kill'] })).toMatchInlineSnapshot(`
[
  {
    "atMs": 22831,
    "downMs": 493,
    "kind": "kill",
    "target": "ledger 2",
  },
  {
    "atMs": 60020,
    "downMs": 1717,
    "kind": "kill",
    "target": "broker",
  },
  {
    "atMs": 103097,
    "downMs": 9,
    "kind": "kill",
    "target": "techone simulator",
  },
]
`);
});

it('kills as often as asked, in order of time and within it', () => {
  const schedule = drawSchedule(wishes);
  expect(schedule.filter(({ kind }) => kind === 'kill')).toHaveLength(20);
  expect(schedule.map(({ atMs }) => atMs)).toEqual(schedule.map(({ atMs }) => atMs).toSorted((one, other) => one - other));
  expect(schedule.every(({ atMs }) => atMs > 0 && atMs < wishes.durationMs)).toBe(true);
});

it('aims at everything before it aims at anything twice', () => {
  expect(targetsIn(drawSchedule({ ...wishes, kills: 13 })).size).toBe(13);
});

it('leaves out what was not asked for, and the broker where there is none', () => {
  expect(drawSchedule({ ...wishes, kinds: ['freeze'] }).every(({ kind }) => kind === 'freeze')).toBe(true);
  expect(targetsIn(drawSchedule({ ...wishes, targets: ['ledger'] }))).toEqual(new Set(['ledger 1', 'ledger 2']));
  expect(targetsIn(drawSchedule({ ...wishes, driver: 'postgres' })).has('broker')).toBe(false);
});

it('keeps a provider within the bounds it states', () => {
  const frozen = drawSchedule({ ...wishes, kills: 300, durationMs: 600_000 }).filter((happening) => happening.kind === 'freeze' && happening.target.endsWith('simulator'));
  expect(frozen.length).toBeGreaterThan(0);
  expect(frozen.every((happening) => happening.kind === 'freeze' && happening.forMs < 2_000)).toBe(true);
});

it('pauses the limited integrations by turns, longer than a pause takes to be known, and while there is a load to meet them again', () => {
  const pauses = drawSchedule(wishes).flatMap((happening) => (happening.kind === 'pause' ? [happening] : []));
  expect(pauses.map(({ council, provider }) => `${provider} of ${council}`)).toEqual(['techone of alpha', 'rehearsal of beta', 'techone of alpha']);
  expect(pauses.every(({ atMs, forMs }) => atMs < 0.7 * wishes.durationMs && forMs > pauseKnownWithinMs + 2_000)).toBe(true);
});

it('draws the rest the same, with pauses or without', () => {
  const isOther = ({ kind }: { readonly kind: string }): boolean => kind !== 'pause';
  expect(drawSchedule({ ...wishes, kinds: happeningKinds.filter((kind) => kind !== 'pause') })).toEqual(drawSchedule(wishes).filter(isOther));
});
