import type { Evidence } from './checker/evidence.js';
import { historyOf } from './history.js';
import type { Intervention } from './interventions.js';

const at = (clock: string): number => Date.parse(`2026-01-01T${clock}Z`);
const kill = (atMs: number, endedAtMs: number | null): Intervention => ({ what: 'kill crm worker 1', kind: 'kill', target: 'crm worker 1', atMs, endedAtMs, inFlight: 60, counts: true, isLeftOut: false });

const evidence: Evidence = {
  organisations: [],
  receipts: [{ organisationId: 'org-a', eventId: 'a-1', runId: 'run-1', atMs: at('10:00:00.020') }, { organisationId: 'org-a', eventId: 'a-2', runId: 'run-2', atMs: at('10:00:00.021') }],
  runs: new Map([['run-1', { organisationId: 'org-a', runId: 'run-1', eventId: 'a-1', subject: null, state: 'parked', steps: [{ id: 'once', state: 'parked', dispatch: 1, reason: 'unknown' }], plannedAtMs: at('10:00:00.100') }]]),
  attempts: new Map([['run-1', [{ stepId: 'once', dispatch: 1, outcome: 'unknown', code: 'intent.open', startedAtMs: null, committedAtMs: at('10:00:09.000'), worker: 'host/2' }]]]),
  commands: new Map([['run-1', [{ kind: 'execute', stepId: 'once', dispatch: 1, integrationId: 'i', appendedAtMs: at('10:00:00.200'), firstAdmittedAtMs: at('10:00:00.150') }]]]),
  intents: new Map([['run-1', [{ stepId: 'once', dispatch: 1, state: 'open', worker: 'host/1', committedAtMs: at('10:00:00.250') }]]]),
  effects: [
    { provider: 'p', recordType: 'once', kind: 'created', recordId: 'o1', eventId: 'a-1', reference: 'ref-1', atMs: at('10:00:00.300') },
    { provider: 'p', recordType: 'once', kind: 'created', recordId: 'o2', eventId: 'a-2', reference: 'ref-2', atMs: at('10:00:00.301') },
  ],
  records: [], samples: [], letters: [], calls: [], pauses: [], foreign: [],
};

const whole = [
  '  event a-1: run run-1 is parked: once parked #1 (unknown)',
  '    10:00:00.020Z  202 received',
  '    10:00:00.100Z  run committed',
  '    10:00:00.200Z  command execute once #1 in the log',
  '    10:00:00.250Z  intent open for once #1, host/1',
  '    10:00:00.300Z  p created once o1 under ref-1',
  '    10:00:00.310Z  >>> kill crm worker 1, over after 2000 ms',
  '    10:00:09.000Z  once #1: unknown (intent.open) committed, host/2',
];
const blows = [kill(at('10:00:00.310'), at('10:00:02.310')), kill(at('09:00:00.000'), at('09:00:01.000')), kill(at('10:00:30.000'), null)];

it('tells all of one event in the order of time, with what was done around then and nothing of other events', () => {
  expect(historyOf({ invariant: 'I2', says: '', runId: 'run-1', eventId: 'a-1' }, evidence, blows)).toEqual(whole);
});

it('finds the run of an event, and the event of a run', () => {
  expect(historyOf({ invariant: 'I2', says: '', runId: null, eventId: 'a-1' }, evidence, blows)).toEqual(whole);
  expect(historyOf({ invariant: 'I7', says: '', runId: 'run-1', eventId: null }, evidence, blows)).toEqual(whole);
});

it('tells what there is of an event without a run', () => {
  expect(historyOf({ invariant: 'I1', says: '', runId: 'run-2', eventId: 'a-2' }, evidence, [])).toEqual(['  event a-2: no run', '    10:00:00.021Z  202 received', '    10:00:00.301Z  p created once o2 under ref-2']);
});

it('says of a blow that is not over that it happened', () => {
  expect(historyOf({ invariant: 'I1', says: '', runId: 'run-2', eventId: 'a-2' }, evidence, [kill(at('10:00:01.000'), null)]).at(-1)).toBe('    10:00:01.000Z  >>> kill crm worker 1');
});

it('has nothing to tell where a breach is about no event', () => {
  expect(historyOf({ invariant: 'I6', says: '', runId: null, eventId: null }, evidence, blows)).toEqual([]);
});
