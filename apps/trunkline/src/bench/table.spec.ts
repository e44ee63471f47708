import type { BenchResult } from './result.js';
import { tableOf } from './table.js';

const none = { p50: null, p95: null, p99: null, max: null };

it('a table names every finding and every target beside what was measured, in words', () => {
  const result = {
    options: { scenario: 'throttled', driver: 'postgres', rate: 20, seconds: 60, events: 100, latencyMs: 0, batch: 1 }, hardware: { cores: 2, processor: 'p', memoryMiB: 1, loadAverageBefore: 0 }, calibration: { unitMicros: 1, fdatasyncMicros: 1 },
    versions: {}, durability: { fsync: 'on' }, milliseconds: { accept: none, endToEnd: none, beyondProviders: none, generatorLate: none }, providerCallsPerEvent: null, cpuMsPerEvent: null, peakMiB: null,
    findings: { backlog: { commandsPerCall: 1.3, '10: CPU ms': '5 / 6' } }, verdict: { effects: 0, expectedEffects: 0, lost: 0, doubled: 0, outOfOrder: 0, parked: 0, deadLettered: 0, unfinished: 0 }, refused: 0,
    targets: [{ says: 'commands sent per call made', wanted: '≤ 1.2', measured: 1.3, outcome: 'missed' }],
  } as unknown as BenchResult;
  const text = tableOf(result);
  for (const words of ['commands per call 1.3', '10: CPU ms 5 / 6', 'commands sent per call made: 1.3, wanted ≤ 1.2: missed', 'fsync=on', 'sound']) expect(text).toContain(words);
});
