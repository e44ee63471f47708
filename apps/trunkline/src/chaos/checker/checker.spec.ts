import { check } from './check.js';
import type { AttemptEvidence, Evidence, RunEvidence } from './evidence.js';
import type { Invariant } from './verdict.js';

const organisation = { organisationId: 'org-a', name: 'alpha', steps: [
  { id: 'first', provider: 'p', recordType: 'keyed', repeat: 'key' },
  { id: 'second', provider: 'p', recordType: 'searched', repeat: 'search-first' },
  { id: 'last', provider: 'p', recordType: 'once', repeat: 'never' },
] } as const;

const done: RunEvidence['steps'] = ['first', 'second', 'last'].map((id) => ({ id, state: 'done', dispatch: 1, reason: null }));
const run: RunEvidence = { organisationId: 'org-a', runId: 'run-1', eventId: 'a-1', state: 'done', steps: done, plannedAtMs: 1_000 };
const attempt = (stepId: string, committedAtMs: number, over: Partial<AttemptEvidence> = {}): AttemptEvidence => ({ stepId, dispatch: 1, outcome: 'ok', code: null, startedAtMs: committedAtMs - 50, committedAtMs, worker: 'w', ...over });
const effect = (recordType: string, recordId: string, over: Partial<Evidence['effects'][number]> = {}): Evidence['effects'][number] => ({ provider: 'p', recordType, kind: 'created', recordId, eventId: 'a-1', reference: `ref-${recordType}`, atMs: 1_500, ...over });
const command = (stepId: string, appendedAtMs: number, dispatch = 1) => ({ kind: 'execute', stepId, dispatch, appendedAtMs }) as const;

/** One event that went as it should. */
const good: Evidence = {
  organisations: [organisation],
  receipts: [{ organisationId: 'org-a', eventId: 'a-1', runId: 'run-1', atMs: 900 }],
  runs: new Map([['run-1', run]]),
  attempts: new Map([['run-1', [attempt('first', 2_000), attempt('second', 3_000), attempt('last', 4_000)]]]),
  commands: new Map([['run-1', [command('first', 1_010), command('second', 2_010), command('last', 3_010)]]]),
  effects: [effect('keyed', 'k1'), effect('searched', 's1'), effect('once', 'o1')],
  records: [{ group: 'ledger', topic: 'events.x', partition: 0, offset: 7, runId: 'run-1', settledAtMs: 1_000, what: 'a-1' }],
  samples: [{ atMs: 900, group: 'ledger', topic: 'events.x', partition: 0, committed: 7 }, { atMs: 1_100, group: 'ledger', topic: 'events.x', partition: 0, committed: 8 }],
  letters: [],
  calls: [{ provider: 'p', pathPrefix: '/a/', limit: 2, windowMs: 1_000, atMs: [0, 500, 1_000, 1_500] }],
  foreign: [{ asked: 'runs', organisationId: 'org-a', own: 3, foreign: 0, example: null }],
};

function broken(evidence: Partial<Evidence>): readonly string[] {
  return check({ ...good, ...evidence }).flatMap(({ breaches }) => breaches.map(({ invariant, says }) => `${invariant} ${says}`));
}

function withRun(over: Partial<RunEvidence>): Partial<Evidence> {
  return { runs: new Map([['run-1', { ...run, ...over }]]) };
}

const stepsWith = (id: string, over: Partial<RunEvidence['steps'][number]>): RunEvidence['steps'] => done.map((step) => (step.id === id ? { ...step, ...over } : step));
const parkedAtLast = { state: 'parked', steps: stepsWith('last', { state: 'parked', reason: 'unknown' }) };

it('finds nothing in a history that went as it should', () => {
  expect(broken({})).toEqual([]);
});

const breaches: readonly (readonly [Invariant, string, Partial<Evidence>])[] = [
  ['I1', 'a receipt without a run', { receipts: [...good.receipts, { organisationId: 'org-a', eventId: 'a-2', runId: 'run-2', atMs: 950 }] }],
  ['I1', 'a receipt that names the run of another event', { receipts: [{ organisationId: 'org-a', eventId: 'a-9', runId: 'run-1', atMs: 900 }] }],
  ['I2', 'two effects of one event under one key', { effects: [...good.effects, effect('searched', 's2')] }],
  ['I2', 'two effects of one event under two keys', { effects: [...good.effects, effect('keyed', 'k2', { reference: 'another' })] }],
  ['I2', 'one key for two events', { effects: [...good.effects, effect('keyed', 'k2', { eventId: 'a-2' })] }],
  ['I2', 'a step that says done and left nothing', { effects: good.effects.slice(1) }],
  ['I2', 'an effect of a step that still waits', withRun({ state: 'running', steps: stepsWith('last', { state: 'waiting' }) })],
  ['I2', 'an effect without a run', { effects: [...good.effects, effect('keyed', 'k2', { eventId: 'a-3', reference: 'r3' })] }],
  ['I2', 'a `never` that was sent again after a doubt', { attempts: new Map([['run-1', [attempt('first', 2_000), attempt('second', 3_000), attempt('last', 4_000, { outcome: 'unknown' }), attempt('last', 5_000, { dispatch: 2 })]]]), commands: new Map([['run-1', [...(good.commands.get('run-1') ?? []), command('last', 4_500, 2)]]]) }],
  ['I3', 'a command ahead of the result before it', { commands: new Map([['run-1', [command('first', 1_010), command('second', 1_990)]]]) }],
  ['I3', 'a command where the step before has no result', { attempts: new Map([['run-1', [attempt('first', 2_000, { outcome: 'transient' })]]]), commands: new Map([['run-1', [command('second', 2_500)]]]) }],
  ['I3', 'a command ahead of its own run', { commands: new Map([['run-1', [command('first', 990)]]]) }],
  ['I3', 'a command of a run that was never committed', { commands: new Map([['run-9', [command('first', 2_000)]]]) }],
  ['I4', 'an offset committed before its record was taken care of', { records: good.records.map((record) => ({ ...record, settledAtMs: 1_101 })) }],
  ['I4', 'an offset committed past a record that nobody took care of', { records: good.records.map((record) => ({ ...record, settledAtMs: null })) }],
  ['I5', 'a step that never moves on', withRun({ state: 'running', steps: stepsWith('last', { state: 'sent' }) })],
  ['I5', 'a doubt that is never settled', withRun({ state: 'running', steps: stepsWith('last', { state: 'unknown' }) })],
  ['I5', 'a step in no known state', withRun({ steps: stepsWith('last', { state: 'lost' }) })],
  ['I5', 'a run that says done with a parked step', withRun({ ...parkedAtLast, state: 'done' })],
  ['I5', 'a dead-lettered step without a letter', withRun({ state: 'dead-lettered', steps: stepsWith('last', { state: 'dead-lettered' }) })],
  ['I5', 'a letter about a step that is done', { letters: [{ organisationId: 'org-a', runId: 'run-1', stepId: 'last', code: 'x', isOpen: true }] }],
  ['I5', 'a record that nobody could read', { letters: [{ organisationId: 'org-a', runId: null, stepId: null, code: 'event.unreadable', isOpen: true }] }],
  ['I6', 'a row of somebody else', { foreign: [{ asked: 'runs', organisationId: 'org-a', own: 3, foreign: 1, example: 'org-b' }] }],
  ['I7', 'one call too many in a window that begins in the middle of another', { calls: [{ provider: 'p', pathPrefix: '/a/', limit: 2, windowMs: 1_000, atMs: [0, 700, 900, 1_600] }] }],
];

it.each(breaches)('%s is broken by %s', (invariant, _what, evidence) => {
  const found = broken(evidence);
  expect(found.length).toBeGreaterThan(0);
  expect(found.map((line) => line.slice(0, 2))).toContain(invariant);
});

const kept: readonly (readonly [string, Partial<Evidence>, readonly string[]])[] = [
  ['a `never` parked as unknown, with its effect or without', { ...withRun(parkedAtLast), effects: good.effects }, []],
  ['a `never` parked as unknown that left nothing', { ...withRun(parkedAtLast), effects: good.effects.slice(0, 2) }, []],
  ['what waits behind a parked step', withRun({ state: 'parked', steps: [{ id: 'first', state: 'done', dispatch: 1, reason: null }, { id: 'second', state: 'parked', dispatch: 1, reason: 'ambiguous' }, { id: 'last', state: 'waiting', dispatch: 0, reason: null }] }), ['once']],
  ['an upsert that was written twice into one record', { effects: [...good.effects, effect('keyed', 'k1', { kind: 'updated' })] }, []],
  ['a result found by a look-up', { attempts: new Map([['run-1', [attempt('first', 1_500, { outcome: 'unknown' }), attempt('first', 2_000, { outcome: 'found' }), attempt('second', 3_000), attempt('last', 4_000)]]]) }, []],
  ['a command of the same millisecond as the commit', { commands: new Map([['run-1', [command('second', 1_999.5)]]]) }, []],
  ['a closed dead letter', { letters: [{ organisationId: 'org-a', runId: 'run-1', stepId: 'last', code: 'x', isOpen: false }] }, []],
];

it.each(kept)('nothing is broken by %s', (_what, evidence, without) => {
  const effects = (evidence.effects ?? good.effects).filter(({ recordType }) => !without.includes(recordType));
  expect(broken({ ...evidence, effects })).toEqual([]);
});
