import fc from 'fast-check';
import { epochSecondsIn, msIn, retryAfter, secondsIn, secondsInText } from './error-rules.js';
import { waitMsFrom } from './wait-hint.js';

const now = Date.parse('2026-11-20T10:00:00Z');
const wait = (value: string) => waitMsFrom([retryAfter], { headers: { 'retry-after': value }, text: '' }, now);

it.each([
  ['7', 7_000],
  [' 12 ', 12_000],
  ['0', 0],
  ['1.5', 1_500],
  ['Fri, 20 Nov 2026 10:00:30 GMT', 30_000],
  ['Friday, 20-Nov-26 10:00:30 GMT', 30_000],
  ['Fri Nov 20 10:00:30 2026 GMT', 30_000],
  ['Fri, 20 Nov 2026 09:59:00 GMT', 0],
])('reads Retry-After %p', (value, expected) => {
  expect(wait(value)).toBe(expected);
});

it.each(['', '-5', 'soon', '1e9', '0x10', '2026-11-20', 'NaN', '5 minutes'])('does not guess at Retry-After %p', (value) => {
  expect(wait(value)).toBeNull();
});

it('waits a day at most', () => {
  expect(wait('99999999')).toBe(24 * 60 * 60 * 1000);
});

it('reads milliseconds, seconds and epoch seconds in headers, and seconds in a text', () => {
  const answer = { headers: { ms: '250', seconds: '61', epoch: String(now / 1000 + 5) }, text: 'Rate limit. Retry the request in [17] seconds' };
  expect(waitMsFrom([msIn('ms')], answer, now)).toBe(250);
  expect(waitMsFrom([secondsIn('seconds')], answer, now)).toBe(61_000);
  expect(waitMsFrom([epochSecondsIn('epoch')], answer, now)).toBe(5_000);
  expect(waitMsFrom([secondsInText(/in \[(\d+)\] seconds/)], answer, now)).toBe(17_000);
});

it('takes the first hint that can be read', () => {
  expect(waitMsFrom([retryAfter, secondsIn('x')], { headers: { 'retry-after': 'later', x: '3' }, text: '' }, now)).toBe(3_000);
  expect(waitMsFrom([retryAfter], { headers: {}, text: '' }, now)).toBeNull();
});

it('answers every text with null or a time within a day', () => {
  fc.assert(fc.property(fc.string(), (value) => {
    const waitMs = wait(value);
    return waitMs === null || (waitMs >= 0 && waitMs <= 24 * 60 * 60 * 1000);
  }));
});
