import { percentile } from './percentile.js';

it.each([
  [[], 0.5, null],
  [[7], 0.95, 7],
  [[1, 2, 3, 4], 0.5, 2],
  [Array.from({ length: 100 }, (_, index) => index + 1), 0.95, 95],
])('of %j the share %d lies below %j', (values, share, expected) => {
  expect(percentile(values, share)).toBe(expected);
});
