import { check } from './check.js';
import type { AttemptEvidence, CommandEvidence, Evidence, IntentEvidence, RunEvidence } from './evidence.js';
import type { Invariant } from './verdict.js';

const organisation = { organisationId: 'org-a', name: 'alpha', steps: [
  { id: 'first', provider: 'p', recordType: 'keyed', repeat: 'key', ordering: 'none' },
  { id: 'second', provider: 'p', recordType: 'searched', repeat: 'search-first', ordering: 'none' },
  { id: 'last', provider: 'p', recordType: 'once', repeat: 'never', ordering: 'none' },
] } as const;

const done: RunEvidence['steps'] = ['first', 'second', 'last'].map((id) => ({ id, state: 'done', dispatch: 1, reason: null }));
const run: RunEvidence = { organisationId: 'org-a', runId: 'run-1', eventId: 'a-1', subject: null, state: 'done', steps: done, plannedAtMs: 1_000 };
const attempt = (stepId: string, committedAtMs: number, over: Partial<AttemptEvidence> = {}): AttemptEvidence => ({ stepId, dispatch: 1, outcome: 'ok', code: null, startedAtMs: committedAtMs - 50, committedAtMs, worker: 'w', ...over });
const effect = (recordType: string, recordId: string, over: Partial<Evidence['effects'][number]> = {}): Evidence['effects'][number] => ({ provider: 'p', recordType, kind: 'created', recordId, eventId: 'a-1', reference: `ref-${recordType}`, atMs: 1_500, ...over });
const command = (stepId: string, appendedAtMs: number, dispatch = 1) => ({ kind: 'execute', stepId, dispatch, integrationId: 'i', appendedAtMs, firstAdmittedAtMs: appendedAtMs - 5 }) as const;
const intent = (dispatch: number, state: IntentEvidence['state'], committedAtMs: number, worker = 'w'): IntentEvidence => ({ stepId: 'last', dispatch, state, worker, committedAtMs });
const asked = { asked: 'runs', table: 'runs', organisationId: 'org-a', own: 3, foreign: 0, ownThere: 3, foreignThere: 2, example: null };

/** One event that went as it should. */
const good: Evidence = {
  organisations: [organisation],
  receipts: [{ organisationId: 'org-a', eventId: 'a-1', runId: 'run-1', atMs: 900 }],
  runs: new Map([['run-1', run]]),
  attempts: new Map([['run-1', [attempt('first', 2_000), attempt('second', 3_000), attempt('last', 4_000)]]]),
  commands: new Map([['run-1', [command('first', 1_010), command('second', 2_010), command('last', 3_010)]]]),
  intents: new Map([['run-1', [intent(1, 'open', 3_900)]]]),
  effects: [effect('keyed', 'k1'), effect('searched', 's1'), effect('once', 'o1')],
  records: [{ group: 'ledger', topic: 'events.x', partition: 0, offset: 7, runId: 'run-1', settledAtMs: 1_000, what: 'a-1' }],
  samples: [{ atMs: 900, group: 'ledger', topic: 'events.x', partition: 0, committed: 7 }, { atMs: 1_100, group: 'ledger', topic: 'events.x', partition: 0, committed: 8 }],
  letters: [],
  calls: [{ provider: 'p', pathPrefix: '/a/', limit: 2, windowMs: 1_000, atMs: [0, 500, 1_000, 1_500] }],
  pauses: [],
  foreign: [asked],
};

function broken(evidence: Partial<Evidence>): readonly string[] {
  return check({ ...good, ...evidence }).flatMap(({ breaches }) => breaches.map(({ invariant, says }) => `${invariant} ${says}`));
}

function withRun(over: Partial<RunEvidence>): Partial<Evidence> {
  return { runs: new Map([['run-1', { ...run, ...over }]]) };
}

const stepsWith = (id: string, over: Partial<RunEvidence['steps'][number]>): RunEvidence['steps'] => done.map((step) => (step.id === id ? { ...step, ...over } : step));
/** A `never` that was sent under two dispatches; `before` is what is known of the first. */
const resent = (before: { readonly intents: readonly IntentEvidence[]; readonly attempts: readonly AttemptEvidence[] }): Partial<Evidence> => ({
  ...withRun({ steps: stepsWith('last', { dispatch: 2 }) }),
  attempts: new Map([['run-1', [attempt('first', 2_000), attempt('second', 3_000), ...before.attempts, attempt('last', 5_000, { dispatch: 2 })]]]),
  commands: new Map([['run-1', [...(good.commands.get('run-1') ?? []), command('last', 4_500, 2)]]]),
  intents: new Map([['run-1', [...before.intents, intent(2, 'open', 4_900)]]]),
});
const inDoubt = attempt('last', 4_000, { outcome: 'unknown' });
const refused = attempt('last', 4_000, { outcome: 'throttled' });
const unanswered = { attempts: new Map([['run-1', [attempt('first', 2_000), attempt('second', 3_000)]]]) };
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
  ['I6', 'a row of somebody else', { foreign: [{ ...asked, foreign: 1, example: 'org-b' }] }],
  ['I6', 'a table that shows nothing although there is something', { foreign: [{ ...asked, own: 0 }] }],
  ['I6', 'a question where nothing of one\'s own could be shown', { foreign: [asked, { ...asked, own: 0, ownThere: 0 }] }],
  ['I6', 'a question where nothing of another could be shown', { foreign: [asked, { ...asked, foreignThere: 0 }] }],
  ['I6', 'a question at the gateway where there was nothing', { foreign: [{ ...asked, table: null, own: 0, ownThere: 0 }] }],
  ['I6', 'a row of somebody else in a table that may be empty', { foreign: [{ ...asked, table: 'gates', own: 0, ownThere: 0, foreign: 1 }] }],
  ['I7', 'one call too many in a window that begins in the middle of another', { calls: [{ provider: 'p', pathPrefix: '/a/', limit: 2, windowMs: 1_000, atMs: [0, 700, 900, 1_600] }] }],
];

const neverBroken: readonly (readonly [string, Partial<Evidence>])[] = [
  ['sent again after a doubt', resent({ intents: [intent(1, 'open', 3_900)], attempts: [inDoubt] })],
  ['sent again although it had been begun and nobody answered', resent({ intents: [intent(1, 'open', 3_900)], attempts: [] })],
  ['sent again with nothing that says it was never begun', resent({ intents: [], attempts: [] })],
  ['sent again without an intent, whatever its answer was', resent({ intents: [], attempts: [refused] })],
  ['sent again before its dispatch was shut', resent({ intents: [intent(1, 'void', 4_600, 'sweeper')], attempts: [] })],
  ['sent again before it was answered that nothing was written', resent({ intents: [intent(1, 'open', 3_900)], attempts: [{ ...refused, committedAtMs: 4_600 }] })],
  ['sent again on the word of somebody who had not begun it', resent({ intents: [intent(1, 'open', 3_900, 'another')], attempts: [refused] })],
  ['called although its dispatch was shut', resent({ intents: [intent(1, 'void', 4_100, 'sweeper')], attempts: [inDoubt] })],
  ['begun and never answered, and said to be done', unanswered],
  ['begun and never answered, and parked for another reason', { ...unanswered, ...withRun({ state: 'parked', steps: stepsWith('last', { state: 'parked', reason: 'provider-down' }) }) }],
];

it.each(neverBroken)('I2 is broken by a `never` that was %s', (_what, evidence) => {
  expect(broken(evidence)).toEqual([expect.stringMatching(/^I2 step last \(never\) of event a-1 was /)]);
});

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
  ['a `never` that was swept before it began and sent again', resent({ intents: [intent(1, 'void', 4_100, 'sweeper')], attempts: [] }), []],
  ['a `never` that its worker shut because it came too late, and that was sent again', resent({ intents: [intent(1, 'void', 3_900)], attempts: [attempt('last', 4_000, { outcome: 'expired', startedAtMs: null })] }), []],
  ['a `never` that was refused with proof that nothing was written, and sent again', resent({ intents: [intent(1, 'open', 3_900)], attempts: [refused] }), []],
  ['a copy of a command that found the intent and knew nothing, beside the answer of who had begun it', resent({ intents: [intent(1, 'open', 3_900)], attempts: [attempt('last', 3_950, { outcome: 'unknown', code: 'intent.open', startedAtMs: null, worker: 'another' }), refused] }), []],
  ['a `never` begun and never answered that is parked as unknown', { ...unanswered, ...withRun(parkedAtLast) }, []],
  ['a question about a table that may be empty', { foreign: [asked, { ...asked, table: 'handovers', own: 0, ownThere: 0, foreignThere: 0 }] }, []],
  ['a closed dead letter', { letters: [{ organisationId: 'org-a', runId: 'run-1', stepId: 'last', code: 'x', isOpen: false }] }, []],
];

it.each(kept)('nothing is broken by %s', (_what, evidence, without) => {
  const effects = (evidence.effects ?? good.effects).filter(({ recordType }) => !without.includes(recordType));
  expect(broken({ ...evidence, effects })).toEqual([]);
});

describe('order of a subject', () => {
  const steps = [{ id: 'job', provider: 'erp', recordType: 'Job', repeat: 'search-first', ordering: 'subject' }] as const;
  const runOf = (runId: string, plannedAtMs: number, state = 'done', reason: string | null = null): RunEvidence => ({ organisationId: 'org-a', runId, eventId: `event-${runId}`, subject: 'one street', state, steps: [{ id: 'job', state, dispatch: 1, reason }], plannedAtMs });
  const made = (runId: string, atMs: number) => ({ provider: 'erp', recordType: 'Job', kind: 'created', recordId: `job-${runId}`, eventId: `event-${runId}`, reference: `ref-${runId}`, atMs }) as const;
  const eventAt = (runId: string, offset: number) => ({ group: 'ledger', topic: 'events.x', partition: 0, offset, runId, settledAtMs: 0, what: runId });
  /** The second run comes after the first: planned later, sent when the first was over. */
  const inTurn: Evidence = {
    ...good,
    organisations: [{ organisationId: 'org-a', name: 'alpha', steps }],
    receipts: [],
    runs: new Map([['one', runOf('one', 1_000)], ['two', runOf('two', 1_001)]]),
    attempts: new Map([['one', [attempt('job', 2_000)]], ['two', [attempt('job', 3_000)]]]),
    commands: new Map([['one', [command('job', 1_100)]], ['two', [command('job', 2_001)]]]),
    intents: new Map(),
    effects: [made('one', 1_900), made('two', 2_900)],
    records: [eventAt('one', 7), eventAt('two', 8), eventAt('one', 9)],
    samples: [],
  };
  const brokenIn = (over: Partial<Evidence>): readonly string[] => broken({ ...inTurn, ...over });

  it('is kept where each is sent when the one before it is over', () => {
    expect(brokenIn({})).toEqual([]);
    expect(check(inTurn).find(({ invariant }) => invariant === 'I3')?.note).toBe('commands; 1 runs behind another of their subject');
  });

  it('is broken by a command that does not wait for the one before it', () => {
    const commands = new Map([...inTurn.commands, ['two', [command('job', 1_500)]]] as const);
    expect(brokenIn({ commands })).toEqual(['I3 step job of event event-two was sent 500 ms before event event-one, which comes before it on their subject, was over']);
  });

  it.each([['parked', 'unknown'], ['parked', 'ambiguous'], ['unknown', null], ['deferred', null], ['waiting', null]] as const)('is broken by a command behind one that is %s (%s): it holds the subject', (state, reason) => {
    const found = brokenIn({ runs: new Map([...inTurn.runs, ['one', runOf('one', 1_000, state, reason)]]), attempts: new Map([...inTurn.attempts, ['one', [attempt('job', 2_000, { outcome: 'unknown' })]]]) });
    expect(found).toContain('I3 step job of event event-two was sent and event event-one, which comes before it on their subject, is not over');
  });

  it('is broken by effects that came in another order, however the commands went', () => {
    expect(brokenIn({ effects: [made('one', 2_900), made('two', 2_400)] })).toEqual(['I3 erp got event event-two 500 ms before event event-one, which comes before it on their subject']);
  });

  it('is that of the log among runs that were planned in one transaction, by the first copy of each', () => {
    const runs = new Map([['two', runOf('two', 1_000)], ['one', runOf('one', 1_000)]]);
    expect(brokenIn({ runs })).toEqual([]);
    expect(brokenIn({ runs, records: [eventAt('two', 6), ...inTurn.records] })).not.toEqual([]);
  });

  it('is nobody\'s business between subjects, and without one', () => {
    const commands = new Map([...inTurn.commands, ['two', [command('job', 1_500)]]] as const);
    for (const subject of ['another street', null]) expect(brokenIn({ commands, runs: new Map([...inTurn.runs, ['two', { ...runOf('two', 1_001), subject }]]) })).toEqual([]);
  });

  it('lets go where a run has ended for good without its effect', () => {
    const runs = new Map([...inTurn.runs, ['one', runOf('one', 1_000, 'dead-lettered')]]);
    const attempts = new Map([...inTurn.attempts, ['one', [attempt('job', 2_000, { outcome: 'failed' })]]]);
    expect(brokenIn({ runs, attempts, effects: [made('two', 2_900)], letters: [{ organisationId: 'org-a', runId: 'one', stepId: 'job', code: 'x', isOpen: true }] })).toEqual([]);
  });
});

describe('limits and pauses', () => {
  const noteOf = (evidence: Partial<Evidence>): string => check({ ...good, ...evidence }).find(({ invariant }) => invariant === 'I7')?.note ?? '';
  const sixOf = (limit: number) => ({ calls: [{ provider: 'p', pathPrefix: '/a/', limit, windowMs: 1_000, atMs: [0, 1, 2, 3, 4, 5] }] });
  const paused = { integrationId: 'i', name: 'p of alpha', fromMs: 100_000, untilMs: 120_000 };
  const admitted = (firstAdmittedAtMs: number, over: Partial<CommandEvidence> = {}): Partial<Evidence> => ({ pauses: [paused], commands: new Map([['run-1', [{ ...command('first', firstAdmittedAtMs + 5), ...over }]]]) });

  it('says of a limit that was never nearly reached that it was not put to the test', () => {
    expect(noteOf(sixOf(7))).toBe('p at most 6 of 7 in 1 s (not put to the test)');
    expect(noteOf(sixOf(6))).toBe('p at most 6 of 6 in 1 s');
  });

  /** Its first command passed long before the pause. */
  const sentAgain = (answeredAtMs: number, appendedAtMs: number): Partial<Evidence> => ({
    pauses: [paused],
    commands: new Map([['run-1', [command('first', 1_010), command('second', 2_010), command('last', 3_010), { ...command('first', appendedAtMs, 2), firstAdmittedAtMs: 1_005 }]]]),
    attempts: new Map([['run-1', [attempt('first', answeredAtMs, { outcome: 'transient' }), ...(good.attempts.get('run-1') ?? []).map((one) => (one.stepId === 'first' ? { ...one, dispatch: 2 } : one))]]]),
  });

  it('says of a pause how much was let through after it, and where nothing was, that it was not put to the test', () => {
    expect(noteOf(admitted(120_001))).toBe('p at most 2 of 2 in 1 s; p of alpha paused for 20 s, let through in the minute after: 1');
    for (const nothing of [admitted(99_000), admitted(180_000), admitted(130_000, { integrationId: 'another' }), admitted(120_001, { dispatch: 2 })]) expect(noteOf(nothing)).toMatch(/, let through in the minute after: 0 \(not put to the test\)$/);
  });

  it('is broken by a step that is let through again upon an answer that came when it had been paused', () => {
    expect(broken(sentAgain(113_000, 113_500))).toContain('I7 step first of run run-1 was let through again to p of alpha 13000 ms after that had been paused');
  });

  it('is broken by a step that is let through to what is paused', () => {
    expect(broken(admitted(113_000))).toEqual(['I7 step first of run run-1 was let through to p of alpha 13000 ms after that had been paused']);
  });

  const kept: readonly (readonly [string, Partial<Evidence>])[] = [
    ['was let through before everybody could know', admitted(111_000)],
    ['was let through afterwards', admitted(120_001)],
    ['was let through before and came into the log only now', admitted(99_000, { appendedAtMs: 115_000 })],
    ['goes to another integration', admitted(113_000, { integrationId: 'another' })],
    ['was sent again upon an answer from before everybody could know', sentAgain(111_000, 113_000)],
    ['was sent again and came into the log only afterwards', sentAgain(113_000, 120_001)],
  ];

  it.each(kept)('is not broken by a step that %s', (_what, evidence) => {
    expect(broken(evidence)).toEqual([]);
  });
});
