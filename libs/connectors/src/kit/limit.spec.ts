import { concurrent, limitsOf, perDay, perMinute } from './limit.js';

const defined = [perDay(100_000, 'vendor'), concurrent(25, 'vendor')];
const numbers = (settings: Readonly<Record<string, unknown>>, limits = defined) => Object.fromEntries(limitsOf(limits, settings).map(({ name, calls }) => [name, calls]));

it('takes the definition\'s limits where nothing is agreed', () => {
  expect(numbers({})).toEqual({ per_day: 100_000, concurrent: 25 });
});

it('takes the number that the contract says, and lifts what is set to 0', () => {
  expect(numbers({ limit_per_day: 5_000, limit_concurrent: 0 })).toEqual({ per_day: 5_000 });
});

/** Found by `trunkline bench throttled`: Salesforce has no limit per minute of its own, so `limit_per_minute` was ignored, the 61st call answered with the 403 of a used-up day, and nothing sent for 15 minutes. */
it('keeps to what only the contract limits', () => {
  expect(numbers({ limit_per_minute: 60 })).toEqual({ per_day: 100_000, concurrent: 25, per_minute: 60 });
  expect(limitsOf(defined, { limit_per_minute: 60 }).find(({ name }) => name === 'per_minute')).toMatchObject({ kind: 'window', windowMs: 60_000 });
});

it('takes a limit that both name once', () => {
  expect(numbers({ limit_per_minute: 30 }, [perMinute(300, 'vendor')])).toEqual({ per_minute: 30 });
});

it.each([-1, Number.NaN, '60', null])('does not take %p for a number of calls', (value) => {
  expect(numbers({ limit_per_day: value, limit_per_minute: value })).toEqual({ per_day: 100_000, concurrent: 25 });
});
