import { isSound, spreadOf, type BenchResult } from './result.js';

it('a spread names the ranks, in any order of its values', () => {
  const values = Array.from({ length: 200 }, (_, index) => 200 - index);
  expect(spreadOf(values)).toEqual({ p50: 100, p95: 190, p99: 198, max: 200 });
  expect(spreadOf([])).toEqual({ p50: null, p95: null, p99: null, max: null });
});

it.each([
  [{}, true],
  [{ lost: 1 }, false],
  [{ doubled: 1 }, false],
  [{ outOfOrder: 1 }, false],
  [{ unfinished: 1 }, false],
  [{ effects: 2 }, false],
])('a run with %j is sound: %s', (found, expected) => {
  const verdict = { effects: 3, expectedEffects: 3, lost: 0, doubled: 0, outOfOrder: 0, parked: 0, deadLettered: 0, unfinished: 0, ...found };
  expect(isSound({ verdict, refused: 0 } as BenchResult)).toBe(expected);
});
