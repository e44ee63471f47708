import { judgeCost, unitsOf } from './guard.js';
import type { BenchResult } from './result.js';

describe('the guard over what an event costs', () => {
  it('counts in units of the calibration loop, so that a slower machine changes nothing', () => {
    const on = (platform: number, unitMicros: number): Pick<BenchResult, 'cpuMsPerEvent' | 'calibration'> => ({ cpuMsPerEvent: { platform, services: 0, database: 0, broker: 0, simulators: 0, generator: 0 }, calibration: { unitMicros, fdatasyncMicros: 0 } });
    expect(unitsOf(on(3, 10))).toBe(300);
    expect(unitsOf(on(6, 20))).toBe(300);
  });

  it('judges the median: one bad run does not fail it, two of three do', () => {
    const baseline = { unitsPerEvent: 300, margin: 0.15 };
    expect(judgeCost([500, 310, 305], baseline)).toEqual({ median: 310, ratio: 1.03, isWithin: true });
    expect(judgeCost([500, 350, 305], baseline)).toMatchObject({ median: 350, isWithin: false });
  });

  it('says where processor time cannot be read', () => {
    expect(() => unitsOf({ cpuMsPerEvent: null, calibration: { unitMicros: 1, fdatasyncMicros: 1 } })).toThrow('Linux');
  });
});
