import { compare, differences } from './compare.js';
import type { BenchResult } from './result.js';

function result(platform: number, unitMicros: number, rate = 100): BenchResult {
  return { options: { scenario: 'chain', driver: 'postgres', rate }, eventsPerSecond: rate, cpuMsPerEvent: { platform }, peakMiB: null, milliseconds: { endToEnd: { p50: 10, p95: null } }, calibration: { unitMicros, fdatasyncMicros: 0 } } as unknown as BenchResult;
}

describe('two results side by side', () => {
  it('are told as ratios, processor time also without the machines', () => {
    const lines = compare(result(3, 10), result(4.5, 20));
    expect(lines).toContainEqual({ figure: 'cpuMsPerEvent.platform', a: 3, b: 4.5, ratio: 1.5, calibrated: 0.75 });
    expect(lines).toContainEqual({ figure: 'milliseconds.endToEnd.p50', a: 10, b: 10, ratio: 1, calibrated: null });
  });

  it('leave out what only one of them has, and divide nothing by zero', () => {
    const lines = compare(result(3, 10), result(3, 10));
    expect(lines.map(({ figure }) => figure)).not.toContain('milliseconds.endToEnd.p95');
    expect(lines).toContainEqual({ figure: 'calibration.fdatasyncMicros', a: 0, b: 0, ratio: null, calibrated: null });
  });

  it('say when they answer different questions', () => {
    expect(differences(result(1, 1, 100), result(1, 1, 20))).toEqual(['rate: 100 and 20']);
    expect(differences(result(1, 1), result(2, 2))).toEqual([]);
  });
});
