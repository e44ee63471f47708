import type { BenchResult } from './result.js';
import { judgeTargets, targets } from './targets.js';

function result(options: Partial<BenchResult['options']>, figures: Partial<BenchResult>): Omit<BenchResult, 'targets'> {
  return { options: { scenario: 'chain', driver: 'kafka', rate: 1_050, seconds: 60, batch: 1, events: 0, ...options }, findings: {}, peakMiB: null, cpuMsPerEvent: null, ...figures } as unknown as Omit<BenchResult, 'targets'>;
}

const outcomes = (of: Omit<BenchResult, 'targets'>): Readonly<Record<string, string>> => Object.fromEntries(judgeTargets(of).map(({ says, outcome }) => [says, outcome]));

describe('targets beside what was measured', () => {
  it('are met, missed, or not known', () => {
    const spread = { p50: 1, p95: 600, p99: 1_001, max: 2_000 };
    const milliseconds = { accept: spread, endToEnd: spread, beyondProviders: spread, generatorLate: spread };
    expect(outcomes(result({}, { eventsPerSecond: 1_000, milliseconds }))).toMatchObject({ 'events/s': 'met', 'end to end p95 ms': 'met', 'end to end p99 ms': 'missed', 'CPU ms per event at full load': 'not known', 'peak MiB, services and database': 'not known' });
  });

  it('are not asked of a run that is too small to answer, and it is said what would answer', () => {
    const [first] = judgeTargets(result({ rate: 100 }, { eventsPerSecond: 100 }));
    expect(first).toMatchObject({ says: 'events/s', measured: 100, outcome: 'not asked', because: 'needs --rate 1000 or more' });
    expect(outcomes(result({ scenario: 'accept', driver: 'postgres', rate: 20_000, batch: 100 }, { eventsPerSecond: 16_000 }))).toMatchObject({ 'single events/s': 'not asked', 'events/s in batches of 100': 'met' });
  });

  it.each([
    [{ scenario: 'drain', rate: 0, seconds: 0, events: 9_999 }, 'events/s (moonshot 2,500)', 'needs --events 10000'],
    [{ scenario: 'light', rate: 20, seconds: 14 }, 'beyond the providers p95 ms', 'needs --rate times --seconds of 300'],
  ] as const)('are not asked of %j, which is over too soon: %s', (options, says, because) => {
    const figures = { eventsPerSecond: 1, cpuMsPerEvent: { platform: 100 } as BenchResult['cpuMsPerEvent'], milliseconds: { beyondProviders: { p50: 1_000, p95: 1_000 } } as BenchResult['milliseconds'] };
    const judged = judgeTargets(result(options, figures));
    expect(judged.find((target) => target.says === says)).toMatchObject({ outcome: 'not asked', because });
    expect(judged.map(({ outcome }) => outcome)).not.toContain('missed');
    expect(outcomes(result({ ...options, events: 10_000, rate: 20, seconds: 15 }, figures))[says]).toBe('missed');
  });

  it('look at the worst of several', () => {
    const findings = { 'kill crm': { upsertLonger: 10, searchFirstPastBound: 0 }, 'kill erp': { upsertLonger: 4_000, searchFirstPastBound: 0 } };
    expect(outcomes(result({ scenario: 'recovery' }, { findings }))).toMatchObject({ 'slowest event with upsert steps, ms longer than without a kill': 'missed', 'slowest event with search-first steps, ms past its bound': 'met' });
  });

  it('each have a bound', () => {
    expect(targets.filter(({ atLeast, atMost }) => (atLeast === undefined) === (atMost === undefined))).toEqual([]);
  });
});
